// Package iam decides whether AWS would allow a request, and explains the decision.
//
// It evaluates every kind of policy that AWS evaluates: identity, resource (bucket, key, queue, topic, trust ...),
// permissions boundary, session, VPC endpoint, service control and resource control policies, and KMS grants. It knows no
// resource, no account and no network: the caller passes the request and the documents that apply to it.
//
//	documents, err := iam.Parse(text)
//	decision := iam.Decide(request, iam.Policies{Identity: []*iam.Document{document}})
//
// The rules follow the IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements" and "How permissions for AWS
// services interact with grants" (KMS). Where the guide is silent the package denies, and a comment says so.
//
// Limits: it does not know which condition keys AWS sends with which call; the caller passes them. ACLs of S3 are not
// evaluated.
package iam
