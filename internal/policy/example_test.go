package policy_test

import (
	"fmt"

	"slipway/internal/policy"
)

// The bucket policy of a site that another account may read from, over TLS only.
func ExampleJSON() {
	document, err := policy.JSON(policy.TLSOnly("s3", "arn:aws:s3:::media", "arn:aws:s3:::media/*"), policy.Statement{
		Sid:        "ReadMedia",
		Principals: policy.AccountRoots("aws", "222222222222"),
		Actions:    []string{"s3:GetObject"},
		Resources:  []any{"arn:aws:s3:::media/*"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	statements, err := policy.Parse(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range statements {
		fmt.Println(s.Effect, s.Action, s.Principal["AWS"], s.Condition)
	}
	// Output:
	// Deny [s3:*] [*] map[Bool:map[aws:SecureTransport:[false]]]
	// Allow [s3:GetObject] [arn:aws:iam::222222222222:root] map[]
}

// A wildcard in a statement covers the actions that it matches.
func ExampleParsedStatement_Covers() {
	statements, err := policy.Parse(`{"Statement": [{"Effect": "Allow", "Action": "kms:GenerateDataKey*", "Resource": "*"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(statements[0].Covers("kms:GenerateDataKeyPair"), statements[0].Covers("kms:Decrypt"))
	// Output: true false
}
