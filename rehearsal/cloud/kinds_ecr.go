package cloud

import (
	"fmt"
	"slices"
)

// Container registries. For the images in them see image.go.

// ecrKinds are the resource types of ECR.
func ecrKinds() []Kind {
	return []Kind{
		repositoryKind(), lifecyclePolicyKind(), repositoryPolicyKind(), registryScanningConfigurationKind(),
	}
}

func repositoryKind() Kind {
	return Kind{
		Type: repositoryType, CreateAction: "ecr:CreateRepository", UpdateAction: "ecr:PutImageTagMutability",
		DeleteAction: "ecr:DeleteRepository",
		Name: Name{Input: "name", Max: 256, Lower: true, Form: `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*`,
			Taken: "RepositoryAlreadyExistsException"},
		NotFound: "RepositoryNotFoundException",
		Refs:     []Ref{keyRef("encryptionConfigurations[].kmsKey")},
		Defaults: map[string]any{"imageTagMutability": "MUTABLE", "forceDelete": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "imageTagMutability", "MUTABLE", "IMMUTABLE"), tagProblems(in))
			if n := len(in.String("name")); in.Has("name") && n < 2 {
				p = append(p, awsProblem("name", "InvalidParameterException", "a repository's name has 2 to 256 characters, got %d", n))
			}
			for i, e := range in.Maps("encryptionConfigurations") {
				path := at("encryptionConfigurations", i)
				for _, x := range oneOf(e, "encryptionType", "AES256", "KMS", "KMS_DSSE") {
					x.Path = path + "." + x.Path
					p = append(p, x)
				}
				if e.Has("kmsKey") && orElse(e.String("encryptionType"), "AES256") == "AES256" && !unknown.Within(path) {
					p = append(p, awsProblem(path+".kmsKey", "InvalidParameterException", "a key needs encryptionType KMS"))
				}
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("ecr", "repository/"+o.ID)
			o.Outputs["registryId"] = a.AccountID
			o.Outputs["repositoryUrl"] = a.imageRegistry() + "/" + o.ID
			return nil
		},
		CheckDelete: func(a *Account, o *Object) error {
			if n := len(a.images(o)); n > 0 && !Inputs(o.Outputs).Bool("forceDelete") {
				return refuse("RepositoryNotEmptyException", "forceDelete deletes it with what it holds",
					"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", o.ID, a.AccountID)
			}
			return nil
		},
	}
}

func lifecyclePolicyKind() Kind {
	return Kind{
		Type: "aws:ecr/lifecyclePolicy:LifecyclePolicy", CreateAction: "ecr:PutLifecyclePolicy", UpdateAction: "ecr:PutLifecyclePolicy",
		DeleteAction: "ecr:DeleteLifecyclePolicy",
		NotFound:     "LifecyclePolicyNotFoundException",
		Refs:         []Ref{soft("repository", "id", repositoryType)},
		Check:        checkImageLifecycle,
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("repository")
			o.Outputs["registryId"] = a.AccountID
			return nil
		},
	}
}

func repositoryPolicyKind() Kind {
	return Kind{
		Type: "aws:ecr/repositoryPolicy:RepositoryPolicy", CreateAction: "ecr:SetRepositoryPolicy", UpdateAction: "ecr:SetRepositoryPolicy",
		DeleteAction: "ecr:DeleteRepositoryPolicy",
		NotFound:     "RepositoryPolicyNotFoundException",
		Refs:         []Ref{soft("repository", "id", repositoryType)},
		Check:        func(in Inputs, unknown Unknowns) []Problem { return policyProblems(in, "policy", imageDocument) },
		CheckState: func(a *Account, o *Object) error {
			if err := principalsExist(a, documentOf(documentText(o.Inputs, "policy")), imageDocument); err != nil {
				return refuse(imageDocument.code, err.(*Error).Message,
					"Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("repository")
			o.Outputs["registryId"] = a.AccountID
			return nil
		},
	}
}

func registryScanningConfigurationKind() Kind {
	return Kind{
		Type: "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration", CreateAction: "ecr:PutRegistryScanningConfiguration",
		UpdateAction: "ecr:PutRegistryScanningConfiguration", DeleteAction: "ecr:PutRegistryScanningConfiguration",
		NotFound: "RegistryPolicyNotFoundException",
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := oneOf(in, "scanType", "BASIC", "ENHANCED")
			frequencies := words("SCAN_ON_PUSH MANUAL")
			if in.String("scanType") == "ENHANCED" {
				frequencies = words("SCAN_ON_PUSH CONTINUOUS_SCAN MANUAL")
			}
			for i, r := range in.Maps("rules") {
				for _, x := range oneOf(r, "scanFrequency", frequencies...) {
					x.Path = at("rules", i) + "." + x.Path
					p = append(p, x)
				}
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = a.AccountID
			o.Outputs["registryId"] = a.AccountID
			return nil
		},
	}
}

// checkImageLifecycle checks a policy for expiring images.
func checkImageLifecycle(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidParameterException"
	text := documentText(in, "policy")
	if text == "" {
		return nil
	}
	var p []Problem
	say := func(format string, args ...any) {
		p = append(p, awsProblem("policy", code, "Lifecycle policy validation failure: "+format, args...))
	}
	m, err := strictObject(text)
	if err != nil {
		say("%v", err)
		return p
	}
	rules := Inputs(m).Maps("rules")
	if len(rules) == 0 || len(rules) > 50 {
		say("expected 1 to 50 rules, got %d", len(rules))
	}
	seen := map[int]bool{}
	catchAll, lowest := 0, 0
	for i, r := range rules {
		n := r.Int("rulePriority")
		if seen[n] {
			say("rule %d: rulePriority %d is used twice", i+1, n)
		}
		seen[n] = true
		lowest = max(lowest, n)
		if r.String("selection.tagStatus") == "any" {
			catchAll = n
		}
		for _, fault := range imageRuleFaults(r) {
			say("rule %d: %s", i+1, fault)
		}
	}
	if catchAll > 0 && catchAll != lowest {
		say("the rule for any image (priority %d) must have the highest priority number (%d), or later rules would never count", catchAll, lowest)
	}
	return p
}

// imageRuleFaults are what is wrong with one rule of a lifecycle policy.
func imageRuleFaults(r Inputs) []string {
	var faults []string
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if r.Int("rulePriority") < 1 {
		say("rulePriority must be 1 or more")
	}
	status := r.String("selection.tagStatus")
	patterns := len(r.List("selection.tagPrefixList")) + len(r.List("selection.tagPatternList"))
	switch {
	case !slices.Contains(words("tagged untagged any"), status):
		say("expected tagStatus tagged, untagged or any, got %q", status)
	case status == "tagged" && patterns == 0:
		say("tagged images need a tagPrefixList or a tagPatternList")
	case status != "tagged" && patterns > 0:
		say("a tagPrefixList is for tagged images")
	}
	count, unit := r.String("selection.countType"), r.String("selection.countUnit")
	switch {
	case count != "imageCountMoreThan" && count != "sinceImagePushed":
		say("expected countType imageCountMoreThan or sinceImagePushed, got %q", count)
	case count == "sinceImagePushed" && unit != "days":
		say("sinceImagePushed needs countUnit days")
	case count == "imageCountMoreThan" && unit != "":
		say("imageCountMoreThan takes no countUnit")
	}
	if r.Int("selection.countNumber") < 1 {
		say("countNumber must be 1 or more")
	}
	if t := r.String("action.type"); t != "expire" {
		say("expected action expire, got %q", t)
	}
	return faults
}
