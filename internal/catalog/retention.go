package catalog

// Retentions are the numbers of days that CloudWatch Logs keeps events; it takes no others.
// Source: CloudWatch Logs API reference, PutRetentionPolicy.
var Retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
