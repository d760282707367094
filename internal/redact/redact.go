// Package redact removes credentials from text that people will read: the last lines of a task's log, the reason why a
// task stopped, a message of AWS. It knows no secret's value; it recognizes the places where careless code prints one.
package redact

import "regexp"

// credentials matches a credential and captures what surrounds it, which stays.
//
// A URL's user part ends at the last @ before a space, a quote or a comma: an unescaped password may contain an @. It is
// better to hide too much of a line than too little.
var credentials = regexp.MustCompile(`(?i)` +
	// scheme://user:password@host and scheme://:password@host, the form of Redis
	`(://[^:/@\s]*:)[^@\s]+(?:@[^@\s"',]+)*(@)` +
	// Authorization: Bearer TOKEN
	`|(\bauthorization["']?\s*[=:]\s*["']?(?:(?:basic|bearer|token)\s+)?)[^\s"',]+` +
	// password=VALUE, "secret_key": "VALUE", AWS_SECRET_ACCESS_KEY='VALUE'
	`|((?:password|passwd|secret|token|api_?key)(?:_\w+)?["']?\s*[=:]\s*["']?)[^\s"',]+`)

// Text returns text with every credential in it replaced by an ellipsis.
func Text(text string) string { return credentials.ReplaceAllString(text, "${1}${3}${4}…${2}") }
