package cicd

// Reads and Contents are which actions the read role may have.
var Reads, Contents = reads, contents
