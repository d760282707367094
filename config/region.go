package config

import (
	"regexp"
	"slices"
)

// regions lists the AWS regions of all three partitions.
var regions = []string{
	"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
	"ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
	"ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1",
	"eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
	"me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1",
	"us-gov-west-1", "us-west-1", "us-west-2",
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// provider reads the keys of the AWS provider that the program needs as well: the region, and the accounts it may deploy to.
func (d *decoder) provider(s *Stack) {
	const region, accounts = "aws:region", "aws:allowedAccountIds"
	raw, ok := d.source.Values[region]
	s.Region = raw.Text
	switch {
	case !ok:
		d.add(region, "", "is required: pulumi config set %s us-east-1", region)
	case raw.Secret:
		d.add(region, masked, "must not be secret")
	case !slices.Contains(regions, s.Region):
		rule := "must be an AWS region"
		if near := nearest(s.Region, regions); near != "" {
			rule += ", did you mean " + near + "?"
		}
		d.add(region, quoted(s.Region), "%s", rule)
	}
	raw, ok = d.source.Values[accounts]
	if !ok || raw.Secret {
		return
	}
	n := raw.tree
	if n == nil || n.kind == text {
		var err error
		if n, err = parseJSON(raw.Text); err != nil {
			n = &node{kind: text, text: raw.Text}
		}
	}
	if n.kind != list {
		d.add(accounts, n.shown(), "must be a list of account IDs")
		return
	}
	for _, item := range n.items {
		if item.kind != text || !accountForm.MatchString(item.text) {
			d.add(accounts, item.shown(), "must be 12-digit account IDs, in quotes")
		}
	}
}
