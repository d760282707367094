package cloud

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/rehearsal/iam"
)

// Buckets and their settings. Bucket names are globally unique; the model knows only the buckets of one account.

// bucketTaken are names that certainly belong to another account.
var bucketTaken = words("test logs backup backups media static assets data public private www images my-bucket bucket example " +
	"terraform-state")

// websiteZones are the hosted zone ids of S3's website endpoints, by region.
var websiteZones = map[string]string{
	"us-east-1": "Z3AQBSTGFYJSTF", "us-east-2": "Z2O1EMRO9K5GLX", "us-west-1": "Z2F56UZL2M1ACD", "us-west-2": "Z3BJ6K6RIION7M",
	"eu-west-1": "Z1BKCTXD74EZPE", "eu-west-2": "Z3GKZC51ZF0DB4", "eu-west-3": "Z3R1K369G5AVDG", "eu-central-1": "Z21DNDUVLTQW6Q",
	"eu-north-1": "Z3BAZG2TWCNX0D", "ap-northeast-1": "Z2M4EHUR26P7ZW", "ap-northeast-2": "Z3W03O7B5YMIYP", "ap-southeast-1": "Z3O0J2DXBE1FTB",
	"ap-southeast-2": "Z1WCIGYICN2BYD", "ap-south-1": "Z11RGJOFQNVJUP", "ca-central-1": "Z1QDHH18159H29", "sa-east-1": "Z7KQH4QJS55SO",
}

// storageClasses are the minimum days before a transition, by storage class.
var storageClasses = map[string]int{"STANDARD_IA": 30, "ONEZONE_IA": 30, "INTELLIGENT_TIERING": 0, "GLACIER_IR": 0,
	"GLACIER": 0, "DEEP_ARCHIVE": 0}

// s3Kinds are the resource types of S3.
func s3Kinds() []Kind {
	return append(bucketSettingKinds(),
		bucketKind(), bucketObjectKind(), bucketPolicyKind(), bucketAclKind(),
	)
}

func bucketKind() Kind {
	return prefixed(Kind{
		Type: bucketType, CreateAction: "s3:CreateBucket", UpdateAction: "s3:PutBucketTagging", DeleteAction: "s3:DeleteBucket",
		Name:     Name{Input: "bucket", Prefix: "bucketPrefix", Max: 63, Lower: true, Taken: "BucketAlreadyOwnedByYou", Scope: "global"},
		NotFound: "NoSuchBucket",
		Defaults: map[string]any{"forceDestroy": false, "objectLockEnabled": false, "bucketPrefix": "", "requestPayer": "BucketOwner",
			"accelerationStatus": "", "policy": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem { return allOf(bucketNameProblems(in), tagProblems(in)) },
		CheckState: func(a *Account, o *Object) error {
			if name := Inputs(o.Inputs).String("bucket"); slices.Contains(bucketTaken, name) {
				return &Error{Code: "BucketAlreadyExists", Status: 409,
					Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a " +
						"different name and try again.",
					Why: name + " belongs to another account"}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("bucket")
			o.Outputs["arn"] = "arn:" + a.Partition + ":s3:::" + o.ID
			o.Outputs["bucketDomainName"] = o.ID + ".s3.amazonaws.com"
			o.Outputs["bucketRegionalDomainName"] = o.ID + ".s3." + a.Region + ".amazonaws.com"
			o.Outputs["region"] = a.Region
			o.Outputs["hostedZoneId"] = websiteZones[a.Region]
			o.Outputs["grants"] = []any{map[string]any{"id": draw(64, a.AccountID), "permissions": []any{"FULL_CONTROL"}, "type": "CanonicalUser"}}
			return nil
		},
		CheckDelete: checkBucketDelete,
	})
}

func bucketObjectKind() Kind {
	return Kind{
		Type: objectType, CreateAction: "s3:PutObject", UpdateAction: "s3:PutObject", DeleteAction: "s3:DeleteObject",
		Name:     Name{Input: "key", Max: 1024, Scope: "bucket"},
		NotFound: "NoSuchKey",
		Refs:     []Ref{soft("bucket", "id", bucketType), keyRef("kmsKeyId")},
		Defaults: map[string]any{"forceDestroy": false, "acl": "private", "storageClass": "STANDARD", "bucketKeyEnabled": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := oneOf(in, "serverSideEncryption", "AES256", "aws:kms", "aws:kms:dsse")
			if n := given(in, unknown, "content", "contentBase64", "source"); n > 1 {
				p = append(p, problem("content", "only one of content, contentBase64 and source may be given, got %d", n))
			}
			return append(p, tagProblems(in)...)
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("key")
			o.Outputs["arn"] = "arn:" + a.Partition + ":s3:::" + in.String("bucket") + "/" + o.ID
			o.Outputs["etag"] = draw(32, in.String("content")+in.String("contentBase64")+in.String("sourceHash")+jsonText(in.Get("source")))
			o.Outputs["versionId"] = ""
			if v := subresource(a, versionsType, in.String("bucket")); v != nil &&
				Inputs(v.Inputs).String("versioningConfiguration.status") == "Enabled" {
				o.Outputs["versionId"] = drawLetters(32, fresh(a, o)...)
			}
			fill(o, "contentType", "application/octet-stream")
			fill(o, "serverSideEncryption", "AES256")
			return nil
		},
	}
}

func bucketPolicyKind() Kind {
	return Kind{
		Type: "aws:s3/bucketPolicy:BucketPolicy", CreateAction: "s3:PutBucketPolicy", UpdateAction: "s3:PutBucketPolicy",
		DeleteAction: "s3:DeleteBucketPolicy",
		NotFound:     "NoSuchBucketPolicy",
		Refs:         []Ref{soft("bucket", "id", bucketType)},
		Check:        checkBucketPolicy,
		CheckState: func(a *Account, o *Object) error {
			statements := documentOf(documentText(o.Inputs, "policy"))
			if err := principalsExist(a, statements, bucketDocument); err != nil {
				return refuse(bucketDocument.code, err.(*Error).Message, "Invalid principal in policy")
			}
			bucket := Inputs(o.Inputs).String("bucket")
			block := subresource(a, publicType, bucket)
			for _, s := range statements {
				if block != nil && Inputs(block.Outputs).Bool("blockPublicPolicy") && public(s) {
					return &Error{Code: "AccessDenied", Status: 403,
						Message: "User is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by the BlockPublicPolicy " +
							"block public access setting.",
						Why: s.called() + " allows public access, and " + block.URN + " blocks public policies"}
				}
			}
			return nil
		},
		Compute: bucketIdentity,
	}
}

// bucketSettingKinds are the settings of a bucket that the provider makes resources of their own.
func bucketSettingKinds() []Kind {
	parts := []Kind{
		{Type: publicType, CreateAction: "s3:PutBucketPublicAccessBlock", DeleteAction: "s3:DeletePublicAccessBlock",
			NotFound: "NoSuchPublicAccessBlockConfiguration",
			Defaults: map[string]any{"blockPublicAcls": false, "blockPublicPolicy": false, "ignorePublicAcls": false,
				"restrictPublicBuckets": false}},
		{Type: ownershipType, CreateAction: "s3:PutBucketOwnershipControls", DeleteAction: "s3:DeleteBucketOwnershipControls",
			NotFound: "OwnershipControlsNotFoundError",
			Check: func(in Inputs, unknown Unknowns) []Problem {
				return oneOf(in, "rule.objectOwnership", "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
			}},
		{Type: "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
			CreateAction: "s3:PutBucketEncryption", DeleteAction: "s3:DeleteBucketEncryption",
			NotFound: "ServerSideEncryptionConfigurationNotFoundError",
			Refs:     []Ref{keyRef("rules[].applyServerSideEncryptionByDefault.kmsMasterKeyId")},
			Check:    checkBucketEncryption},
		{Type: versionsType, CreateAction: "s3:PutBucketVersioning", DeleteAction: "s3:PutBucketVersioning", NotFound: "NoSuchBucket",
			Check: func(in Inputs, unknown Unknowns) []Problem {
				return allOf(ownerProblems(in), oneOf(in, "versioningConfiguration.status", "Enabled", "Suspended", "Disabled"),
					oneOf(in, "versioningConfiguration.mfaDelete", "Enabled", "Disabled"))
			}},
		{Type: "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", CreateAction: "s3:PutBucketLifecycleConfiguration",
			DeleteAction: "s3:DeleteBucketLifecycle",
			NotFound:     "NoSuchLifecycleConfiguration", Check: checkBucketLifecycle,
			Defaults: map[string]any{"transitionDefaultMinimumObjectSize": "all_storage_classes_128K"}},
		{Type: "aws:s3/bucketLoggingV2:BucketLoggingV2", CreateAction: "s3:PutBucketLogging", DeleteAction: "s3:PutBucketLogging",
			NotFound: "NoSuchBucket",
			Refs:     []Ref{soft("targetBucket", "id", bucketType)}},
		{Type: "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2", CreateAction: "s3:PutBucketCors",
			DeleteAction: "s3:DeleteBucketCors", NotFound: "NoSuchCORSConfiguration",
			Check: checkBucketCORS},
		{Type: "aws:s3/bucketNotification:BucketNotification", CreateAction: "s3:PutBucketNotificationConfiguration",
			DeleteAction: "s3:PutBucketNotificationConfiguration", NotFound: "NoSuchBucket",
			Refs:     []Ref{soft("queues[].queueArn", "arn", queueType), soft("topics[].topicArn", "arn", topicType)},
			Defaults: map[string]any{"eventbridge": false}},
	}
	for i := range parts {
		k := &parts[i]
		k.UpdateAction = k.CreateAction
		k.Refs = append(k.Refs, soft("bucket", "id", bucketType))
		k.Compute = bucketIdentity
	}
	return parts
}

func bucketAclKind() Kind {
	return Kind{
		Type: "aws:s3/bucketAclV2:BucketAclV2", CreateAction: "s3:PutBucketAcl", UpdateAction: "s3:PutBucketAcl", DeleteAction: "s3:PutBucketAcl",
		NotFound: "NoSuchBucket",
		Refs:     []Ref{soft("bucket", "id", bucketType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := oneOf(in, "acl", words("private public-read public-read-write aws-exec-read authenticated-read bucket-owner-read "+
				"bucket-owner-full-control log-delivery-write")...)
			if n := given(in, unknown, "acl", "accessControlPolicy"); n != 1 {
				p = append(p, problem("acl", "exactly one of acl and accessControlPolicy must be given, got %d", n))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			own := subresource(a, ownershipType, in.String("bucket"))
			if own == nil || Inputs(own.Inputs).String("rule.objectOwnership") == "BucketOwnerEnforced" {
				return refuse("AccessControlListNotSupported", "new buckets have BucketOwnerEnforced; set BucketOwnershipControls first",
					"The bucket does not allow ACLs")
			}
			block := subresource(a, publicType, in.String("bucket"))
			if strings.HasPrefix(in.String("acl"), "public-") && (block == nil || Inputs(block.Outputs).Bool("blockPublicAcls")) {
				return &Error{Code: "AccessDenied", Status: 403, Message: "Access Denied", Why: "the bucket blocks public ACLs"}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = in.String("bucket")
			if acl := in.String("acl"); acl != "" {
				o.ID += "," + acl
			}
			return nil
		},
	}
}

// bucketIdentity makes the bucket's name the ID of its settings.
func bucketIdentity(a *Account, o *Object) error {
	o.ID = Inputs(o.Inputs).String("bucket")
	return nil
}

// subresource is the setting of a type for a bucket; nil if there is none.
func subresource(a *Account, token, bucket string) *Object { return find(a, "id", bucket, token) }

// checkBucketDelete refuses to delete a bucket that is not empty. A load balancer writes a test file when access logs are enabled.
func checkBucketDelete(a *Account, o *Object) error {
	if Inputs(o.Outputs).Bool("forceDestroy") {
		return nil
	}
	for _, t := range []string{objectType} {
		for _, object := range a.list(t) {
			if object.Inputs["bucket"] == o.ID {
				return &Error{Code: "BucketNotEmpty", Status: 409, Message: "The bucket you tried to delete is not empty",
					Why: "it holds " + object.ID + "; set forceDestroy to delete it with what it holds"}
			}
		}
	}
	for _, balancer := range a.list(balancerType) {
		if in := Inputs(balancer.Inputs); in.String("accessLogs.bucket") == o.ID && in.Bool("accessLogs.enabled") {
			return &Error{Code: "BucketNotEmpty", Status: 409, Message: "The bucket you tried to delete is not empty",
				Why: balancer.called() + " writes its access logs there"}
		}
	}
	return nil
}

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)

func bucketNameProblems(in Inputs) []Problem {
	const code = "InvalidBucketName"
	name := in.String("bucket")
	if !in.Has("bucket") {
		return nil
	}
	_, notIP := netip.ParseAddr(name)
	switch {
	case len(name) < 3 || len(name) > 63:
		return []Problem{awsProblem("bucket", code, "a bucket's name has 3 to 63 characters, got %d (%q)", len(name), name)}
	case !bucketForm.MatchString(name):
		return []Problem{awsProblem("bucket", code,
			"a bucket's name takes lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit, got %q", name)}
	case strings.Contains(name, ".."):
		return []Problem{awsProblem("bucket", code, "a bucket's name has no two dots together, got %q", name)}
	case notIP == nil:
		return []Problem{awsProblem("bucket", code, "a bucket's name must not look like an IP address, got %q", name)}
	}
	for _, prefix := range words("xn-- sthree- amzn-s3-demo-") {
		if strings.HasPrefix(name, prefix) {
			return []Problem{awsProblem("bucket", code, "names that begin with %s are reserved by AWS, got %q", prefix, name)}
		}
	}
	for _, suffix := range words("-s3alias --ol-s3 .mrap --x-s3 --table-s3") {
		if strings.HasSuffix(name, suffix) {
			return []Problem{awsProblem("bucket", code, "names that end with %s are reserved by AWS, got %q", suffix, name)}
		}
	}
	return nil
}

// checkBucketPolicy checks the document, and that it names only resources of this bucket.
func checkBucketPolicy(in Inputs, unknown Unknowns) []Problem {
	p := policyProblems(in, "policy", bucketDocument)
	bucket := in.String("bucket")
	if len(p) > 0 || bucket == "" {
		return p
	}
	statements, _ := readDocument(documentText(in, "policy"), bucketDocument)
	for _, s := range statements {
		for _, r := range s.resources {
			name, _, _ := strings.Cut(lastPart(r, ":"), "/")
			if r != "*" && (!strings.Contains(r, ":s3:::") || !iam.Glob(name, bucket)) {
				p = append(p, awsProblem("policy", bucketDocument.code, "%s: Policy has invalid resource: %q is not of bucket %s", s.called(), r,
					bucket))
			}
		}
		for _, action := range s.actions {
			if action != "*" && !strings.HasPrefix(strings.ToLower(action), "s3:") {
				p = append(p, awsProblem("policy", bucketDocument.code, "%s: Policy has invalid action: %q", s.called(), action))
			}
		}
	}
	return p
}

// public reports whether a statement allows public access: it applies to everyone, and no condition restricts that.
func public(s statement) bool {
	if s.deny || s.principals["*"] == nil && !slices.Contains(s.principals["AWS"], "*") {
		return false
	}
	for _, keys := range s.conditions {
		for _, key := range sortedKeys(keys) {
			if slices.Contains(words("aws:sourcearn aws:sourceaccount aws:sourcevpc aws:sourcevpce aws:principalorgid aws:sourceorgid "+
				"aws:principalarn aws:principalaccount aws:userid s3:dataaccesspointarn aws:sourceip"), strings.ToLower(key)) {
				return false
			}
		}
	}
	return true
}

// ownerProblems checks expectedBucketOwner.
func ownerProblems(in Inputs) []Problem {
	if s := in.String("expectedBucketOwner"); s != "" && !accountForm.MatchString(s) {
		return []Problem{problem("expectedBucketOwner", "expected the 12 digits of an account, got %q", s)}
	}
	return nil
}

func checkBucketEncryption(in Inputs, unknown Unknowns) []Problem {
	p := ownerProblems(in)
	if n := len(in.List("rules")); in.Has("rules") && n != 1 && !unknown.Within("rules") {
		p = append(p, awsProblem("rules", "MalformedXML", "expected one rule, got %d", n))
	}
	for i, r := range in.Maps("rules") {
		path := at("rules", i) + ".applyServerSideEncryptionByDefault."
		alg := r.String("applyServerSideEncryptionByDefault.sseAlgorithm")
		if alg != "" && !slices.Contains(words("AES256 aws:kms aws:kms:dsse"), alg) {
			p = append(p, awsProblem(path+"sseAlgorithm", "MalformedXML", "expected AES256, aws:kms or aws:kms:dsse, got %q", alg))
		}
		if alg == "AES256" && r.Has("applyServerSideEncryptionByDefault.kmsMasterKeyId") {
			p = append(p, awsProblem(path+"kmsMasterKeyId", "InvalidArgument",
				"a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"))
		}
	}
	return p
}

func checkBucketLifecycle(in Inputs, unknown Unknowns) []Problem {
	p := ownerProblems(in)
	seen := map[string]bool{}
	for i, r := range in.Maps("rules") {
		path := at("rules", i)
		id := r.String("id")
		if seen[id] && id != "" {
			p = append(p, awsProblem(path+".id", "InvalidArgument", "Rule ID must be unique. Found same ID %q for more than one rule", id))
		}
		seen[id] = true
		if len(id) > 255 {
			p = append(p, awsProblem(path+".id", "InvalidArgument", "ID length should not exceed allowed limit of 255"))
		}
		for _, x := range oneOf(r, "status", "Enabled", "Disabled") {
			x.Path = path + "." + x.Path
			p = append(p, x)
		}
		if given(r, nil, "expiration", "transitions", "noncurrentVersionExpiration", "noncurrentVersionTransitions",
			"abortIncompleteMultipartUpload") == 0 && !unknown.Within(path) {
			p = append(p, awsProblem(path, "InvalidRequest", "At least one action needs to be specified in a rule"))
		}
		transitions, last, lastClass := transitionProblems(r, path)
		p = append(p, transitions...)
		if d := r.String("expiration.date"); d != "" {
			if _, err := time.Parse(time.RFC3339, d); err != nil {
				p = append(p, problem(path+".expiration.date", "expected a time such as 2030-01-01T00:00:00Z, got %q", d))
			}
		}
		if e := r.Int("expiration.days"); r.Has("expiration.days") {
			if e < 1 {
				p = append(p, awsProblem(path+".expiration.days", "InvalidArgument",
					"'Days' for Expiration action must be a positive integer, got %d", e))
			} else if lastClass != "" && e <= last {
				p = append(p, awsProblem(path+".expiration.days", "InvalidArgument",
					"'Days' in the Expiration action for filter must be greater than 'Days' in the Transition action (%d), got %d", last, e))
			}
		}
		if n := r.Int("abortIncompleteMultipartUpload.daysAfterInitiation"); r.Has("abortIncompleteMultipartUpload.daysAfterInitiation") &&
			n < 1 {
			p = append(p, awsProblem(path+".abortIncompleteMultipartUpload.daysAfterInitiation", "InvalidArgument",
				"expected at least 1 day, got %d", n))
		}
	}
	return p
}

// transitionProblems checks the transitions of a lifecycle rule, and returns the days and the class of the last one.
func transitionProblems(r Inputs, path string) (p []Problem, last int, lastClass string) {
	for j, t := range r.Maps("transitions") {
		tp := at(path+".transitions", j)
		class, days := t.String("storageClass"), t.Int("days")
		least, known := storageClasses[class]
		switch {
		case !known && class != "":
			p = append(p, awsProblem(tp+".storageClass", "MalformedXML", "expected %s, got %q", alternatives(sortedKeys(storageClasses)), class))
		case t.Has("days") && days < least:
			p = append(p, awsProblem(tp+".days", "InvalidArgument",
				"'Days' in Transition action must be greater than or equal to %d for storageClass '%s', got %d", least, class, days))
		case t.Has("days") && lastClass != "" && days <= last:
			p = append(p, awsProblem(tp+".days", "InvalidArgument",
				"'Days' in the Transition action for StorageClass '%s' must be greater than %d, of StorageClass '%s', got %d",
				class, last, lastClass, days))
		}
		last, lastClass = days, class
	}
	return p, last, lastClass
}

func checkBucketCORS(in Inputs, unknown Unknowns) []Problem {
	var p []Problem
	for i, r := range in.Maps("corsRules") {
		path := at("corsRules", i)
		for j, m := range r.Strings("allowedMethods") {
			if !slices.Contains(words("GET PUT POST DELETE HEAD"), m) {
				p = append(p, awsProblem(at(path+".allowedMethods", j), "InvalidRequest",
					"Found unsupported HTTP method in CORS config. Unsupported method is %s", m))
			}
		}
		for j, o := range r.Strings("allowedOrigins") {
			if strings.Count(o, "*") > 1 {
				p = append(p, awsProblem(at(path+".allowedOrigins", j), "InvalidRequest", "AllowedOrigin %s can not have more than one wildcard", o))
			}
		}
	}
	if n := len(in.List("corsRules")); n > 100 {
		p = append(p, awsProblem("corsRules", "MalformedXML", "expected at most 100 rules, got %s", strconv.Itoa(n)))
	}
	return p
}
