package cloud

import (
	"slices"
	"strings"
)

// kmsKinds are the resource types of KMS.
func kmsKinds() []Kind {
	return []Kind{
		keyKind(), aliasKind(), keyPolicyKind(), keyGrantKind(),
	}
}

func keyKind() Kind {
	return Kind{
		Type: keyType, CreateAction: "kms:CreateKey", UpdateAction: "kms:UpdateKeyDescription", DeleteAction: "kms:ScheduleKeyDeletion",
		NotFound: "NotFoundException",
		Defaults: map[string]any{"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT", "isEnabled": true,
			"enableKeyRotation": false, "bypassPolicyLockoutSafetyCheck": false, "multiRegion": false, "description": ""},
		Check: checkKey,
		CheckState: func(a *Account, o *Object) error {
			return keyPolicyFits(a, o, documentText(o.Inputs, "policy"))
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
				if Inputs(o.Inputs).Bool("multiRegion") {
					o.ID = "mrk-" + draw(32, fresh(a, o)...)
				}
			}
			o.Outputs["keyId"] = o.ID
			o.Outputs["arn"] = a.arn("kms", "key/"+o.ID)
			fill(o, "policy", `{"Id":"key-default-1","Statement":[{"Action":"kms:*","Effect":"Allow","Principal":{"AWS":"`+a.globalARN("iam",
				"root")+`"},"Resource":"*","Sid":"Enable IAM User Permissions"}],"Version":"2012-10-17"}`)
			if Inputs(o.Inputs).Bool("enableKeyRotation") {
				fill(o, "rotationPeriodInDays", 365)
			}
			return nil
		},
	}
}

func aliasKind() Kind {
	return prefixed(Kind{
		Type: aliasType, CreateAction: "kms:CreateAlias", UpdateAction: "kms:UpdateAlias", DeleteAction: "kms:DeleteAlias",
		Name: Name{Input: "name", Prefix: "namePrefix", Lead: "alias/", Max: 256, Form: `alias/[a-zA-Z0-9/_-]+`,
			Taken: "AlreadyExistsException"},
		NotFound: "NotFoundException",
		Refs:     []Ref{soft("targetKeyId", "id,arn", keyType)},
		Defaults: map[string]any{"namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			if strings.HasPrefix(in.String("name"), "alias/aws/") {
				return []Problem{awsProblem("name", "NotAuthorizedException", "aliases that begin with alias/aws/ are reserved by AWS")}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.arn("kms", o.ID)
			if key := keyNamed(a, in.String("targetKeyId")); key != nil {
				o.Outputs["targetKeyArn"] = key.Outputs["arn"]
				o.Outputs["targetKeyId"] = key.ID
			}
			return nil
		},
		Recomputed: map[string][]string{"targetKeyId": {"targetKeyArn"}},
	})
}

func keyPolicyKind() Kind {
	return Kind{
		Type: "aws:kms/keyPolicy:KeyPolicy", CreateAction: "kms:PutKeyPolicy", UpdateAction: "kms:PutKeyPolicy", DeleteAction: "kms:PutKeyPolicy",
		NotFound: "NotFoundException",
		Refs:     []Ref{soft("keyId", "id,arn", keyType)},
		Defaults: map[string]any{"bypassPolicyLockoutSafetyCheck": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(policyProblems(in, "policy", keyDocument), lockoutProblems(in))
		},
		CheckState: func(a *Account, o *Object) error {
			return keyPolicyFits(a, o, documentText(o.Inputs, "policy"))
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = lastPart(Inputs(o.Inputs).String("keyId"), "/")
			return nil
		},
	}
}

func keyGrantKind() Kind {
	return Kind{
		Type: "aws:kms/grant:Grant", CreateAction: "kms:CreateGrant", DeleteAction: "kms:RevokeGrant",
		Name:     Name{Input: "name", Max: 256, Form: `[a-zA-Z0-9:/_-]+`},
		NotFound: "NotFoundException",
		Refs: []Ref{soft("keyId", "id,arn", keyType), maybe("granteePrincipal", "arn", roleType, userType),
			maybe("retiringPrincipal", "arn", roleType, userType)},
		Defaults: map[string]any{"retireOnDelete": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			operations := words("Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify " +
				"GetPublicKey CreateGrant RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac " +
				"DeriveSharedSecret")
			var p []Problem
			in.Each("operations[]", func(path string, v any) {
				if s, _ := v.(string); !slices.Contains(operations, s) {
					p = append(p, awsProblem(path, "ValidationException", "expected a KMS operation such as Decrypt, got %q", s))
				}
			})
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				grant := draw(64, fresh(a, o)...)
				o.Outputs["grantId"] = grant
				o.Outputs["grantToken"] = "AQpA" + draw(60, grant, "token")
				o.ID = lastPart(Inputs(o.Inputs).String("keyId"), "/") + ":" + grant
			}
			return nil
		},
	}
}

var keySpecs = map[string][]string{
	"SYMMETRIC_DEFAULT": {"ENCRYPT_DECRYPT"},
	"RSA_2048":          {"ENCRYPT_DECRYPT", "SIGN_VERIFY"}, "RSA_3072": {"ENCRYPT_DECRYPT", "SIGN_VERIFY"},
	"RSA_4096":      {"ENCRYPT_DECRYPT", "SIGN_VERIFY"},
	"ECC_NIST_P256": {"SIGN_VERIFY", "KEY_AGREEMENT"}, "ECC_NIST_P384": {"SIGN_VERIFY", "KEY_AGREEMENT"}, "ECC_NIST_P521": {"SIGN_VERIFY",
		"KEY_AGREEMENT"}, "ECC_SECG_P256K1": {"SIGN_VERIFY"},
	"HMAC_224": {"GENERATE_VERIFY_MAC"}, "HMAC_256": {"GENERATE_VERIFY_MAC"}, "HMAC_384": {"GENERATE_VERIFY_MAC"},
	"HMAC_512": {"GENERATE_VERIFY_MAC"},
}

func checkKey(in Inputs, unknown Unknowns) []Problem {
	p := allOf(between(in, "deletionWindowInDays", 7, 30), between(in, "rotationPeriodInDays", 90, 2560), longest(in, "description", 8192),
		oneOf(in, "customerMasterKeySpec", sortedKeys(keySpecs)...), policyProblems(in, "policy", keyDocument),
		lockoutProblems(in), tagProblems(in))
	spec := in.String("customerMasterKeySpec")
	if spec == "" {
		spec = "SYMMETRIC_DEFAULT"
	}
	if uses := keySpecs[spec]; uses != nil {
		p = append(p, oneOf(in, "keyUsage", uses...)...)
	}
	if in.Bool("enableKeyRotation") && spec != "SYMMETRIC_DEFAULT" {
		p = append(p, awsProblem("enableKeyRotation", "UnsupportedOperationException",
			"only symmetric encryption keys rotate, this one is %s", spec))
	}
	if in.Has("rotationPeriodInDays") && !in.Bool("enableKeyRotation") && !unknown.Has("enableKeyRotation") {
		p = append(p, problem("rotationPeriodInDays", "it needs enableKeyRotation"))
	}
	return p
}

// lockoutProblems refuses a key policy that could never be changed again, because no statement allows this account, or an identity
// in it, to call kms:PutKeyPolicy.
func lockoutProblems(in Inputs) []Problem {
	text := documentText(in, "policy")
	if text == "" || in.Bool("bypassPolicyLockoutSafetyCheck") {
		return nil
	}
	statements, wrong := readDocument(text, keyDocument)
	if len(wrong) > 0 {
		return nil
	}
	for _, s := range statements {
		if !s.deny && len(s.principals["AWS"])+len(s.principals["*"]) > 0 && anyMatch(s.actions, "kms:PutKeyPolicy") {
			return nil
		}
	}
	return []Problem{awsProblem("policy", "MalformedPolicyDocumentException",
		"The new key policy will not allow you to update the key policy in the future: let the account's root have kms:*")}
}

func keyPolicyFits(a *Account, o *Object, text string) error {
	if text == "" {
		return nil
	}
	statements := documentOf(text)
	if err := principalsExist(a, statements, keyDocument); err != nil {
		return refuse(keyDocument.code, err.(*Error).Message, "Policy contains a statement with one or more invalid principals.")
	}
	if Inputs(o.Inputs).Bool("bypassPolicyLockoutSafetyCheck") {
		return nil
	}
	for _, s := range statements {
		if s.deny || !anyMatch(s.actions, "kms:PutKeyPolicy") {
			continue
		}
		for _, name := range append(s.principals["AWS"], s.principals["*"]...) {
			if name == "*" || name == a.AccountID || strings.Contains(name, "::"+a.AccountID+":") {
				return nil
			}
		}
	}
	return refuse(keyDocument.code, "only other accounts may put a key policy",
		"The new key policy will not allow you to update the key policy in the future.")
}
