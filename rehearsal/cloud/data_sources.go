package cloud

import (
	"encoding/base64"
	"fmt"
	"sort"
	"strings"
	"time"
)

// dataSources are the data sources that the model answers.
func dataSources() map[string]source {
	return map[string]source{
		"aws:index/getCallerIdentity:getCallerIdentity": func(a *Account, _ Inputs) (map[string]any, error) {
			return map[string]any{
				"accountId": a.AccountID, "id": a.AccountID, "userId": "AIDA" + drawLetters(17, a.AccountID, "rehearsal"),
				"arn": a.globalARN("iam", "user/rehearsal"),
			}, nil
		},
		"aws:index/getRegion:getRegion": func(a *Account, in Inputs) (map[string]any, error) {
			name := in.String("name")
			if name == "" {
				name = a.Region
			}
			r, ok := regions[name]
			if !ok {
				return nil, UnknownRegion(name)
			}
			return map[string]any{"id": name, "name": name, "description": name, "endpoint": "ec2." + name + "." + r.dnsSuffix()}, nil
		},
		"aws:index/getPartition:getPartition": func(a *Account, _ Inputs) (map[string]any, error) {
			suffix := regions[a.Region].dnsSuffix()
			labels := strings.Split(suffix, ".")
			for i, j := 0, len(labels)-1; i < j; i, j = i+1, j-1 {
				labels[i], labels[j] = labels[j], labels[i]
			}
			return map[string]any{"id": a.Partition, "partition": a.Partition, "dnsSuffix": suffix, "reverseDnsPrefix": strings.Join(labels, ".")},
				nil
		},
		"aws:index/getAvailabilityZones:getAvailabilityZones": zonesSource,
		"aws:ec2/getSubnets:getSubnets":                       subnetsSource,
		"aws:ec2/getAmi:getAmi":                               amiSource,
		"aws:ssm/getParameter:getParameter":                   parameterSource,
		"aws:ecr/getAuthorizationToken:getAuthorizationToken": func(a *Account, _ Inputs) (map[string]any, error) {
			password, token := a.registryToken()
			return map[string]any{
				"id": a.Region, "authorizationToken": token, "userName": "AWS", "password": password,
				"proxyEndpoint": "https://" + a.imageRegistry(), "expiresAt": a.now().Add(12 * time.Hour).UTC().Format(time.RFC3339),
			}, nil
		},
		"aws:ecr/getCredentials:getCredentials": func(a *Account, in Inputs) (map[string]any, error) {
			_, token := a.registryToken()
			return map[string]any{
				"id": a.Region, "registryId": in.String("registryId"), "authorizationToken": token,
				"proxyEndpoint": "https://" + a.imageRegistry(), "expiresAt": a.now().Add(12 * time.Hour).UTC().Format(time.RFC3339),
			}, nil
		},
		"aws:route53/getZone:getZone":                 zoneSource,
		"aws:iam/getPolicyDocument:getPolicyDocument": policySource,
		"aws:kms/getAlias:getAlias":                   aliasSource,
	}
}

func zonesSource(a *Account, in Inputs) (map[string]any, error) {
	r := regions[a.Region]
	var names, ids []string
	skip := map[string]bool{}
	for _, n := range append(in.Strings("excludeNames"), in.Strings("excludeZoneIds")...) {
		skip[n] = true
	}
	none := false
	for _, f := range in.Maps("filters") {
		switch name := f.String("name"); name {
		case "opt-in-status", "zone-type", "region-name", "state":
			want := map[string]string{"opt-in-status": "opt-in-not-required", "zone-type": "availability-zone", "region-name": a.Region,
				"state": "available"}[name]
			none = none || !contains(f.Strings("values"), want)
		default:
			return nil, fmt.Errorf("the model does not know the filter %q of availability zones%s", name,
				suggest(name, []string{"opt-in-status", "zone-type", "region-name", "state"}))
		}
	}
	if s := in.String("state"); s != "" && s != "available" {
		none = true
	}
	for i, name := range r.zoneNames() {
		if id := r.zoneIDs()[i]; !none && !skip[name] && !skip[id] {
			names, ids = append(names, name), append(ids, id)
		}
	}
	return map[string]any{"id": a.Region, "names": names, "zoneIds": ids, "groupNames": []string{a.Region}}, nil
}

// subnetsSource lists subnets by filters and tags. Filter names: EC2 API, DescribeSubnets.
func subnetsSource(a *Account, in Inputs) (map[string]any, error) {
	properties := map[string]string{"availability-zone": "availabilityZone", "availability-zone-id": "availabilityZoneId", "vpc-id": "vpcId",
		"cidr-block": "cidrBlock"}
	for _, f := range in.Maps("filters") {
		if name := f.String("name"); properties[name] == "" {
			return nil, fmt.Errorf("the model does not know the filter %q of subnets%s", name, suggest(name, sortedKeys(properties)))
		}
	}
	ids := []string{}
	for _, s := range a.list(subnetType) {
		out, fits := Inputs(s.Outputs), true
		for _, f := range in.Maps("filters") {
			fits = fits && anyMatch(f.Strings("values"), out.String(properties[f.String("name")]))
		}
		tags := out.Map("tagsAll")
		for name, value := range in.Map("tags") {
			fits = fits && tags[name] == value
		}
		if fits {
			ids = append(ids, s.ID)
		}
	}
	sort.Strings(ids)
	return map[string]any{"id": a.Region, "ids": ids}, nil
}

// amiSource knows the Linux images that Amazon publishes.
func amiSource(a *Account, in Inputs) (map[string]any, error) {
	const action = "ec2:DescribeImages"
	owners := in.Strings("owners")
	if len(owners) > 0 && !contains(owners, "amazon") && !contains(owners, "137112412989") {
		return nil, &Error{Code: "InvalidAMIID.NotFound", Action: action,
			Message: "Your query returned no results. Please change your search criteria and try again.",
			Why:     "the model knows only Amazon's own images; owners is " + strings.Join(owners, ", ")}
	}
	var found map[string]any
	for _, arch := range []string{"x86_64", "arm64"} {
		for _, family := range []string{"al2023-ami-2023.6.20250115.0-kernel-6.1-" + arch, "al2023-ami-minimal-2023.6.20250115.0-kernel-6.1-" +
			arch, "amzn2-ami-hvm-2.0.20250116.0-" + arch + "-gp2"} {
			image := map[string]string{
				"name": family, "architecture": arch, "virtualization-type": "hvm", "root-device-type": "ebs", "state": "available",
				"owner-alias": "amazon", "block-device-mapping.volume-type": "gp3", "is-public": "true", "image-type": "machine",
				"ena-support": "true", "hypervisor": "xen",
			}
			fits := true
			for _, f := range in.Maps("filters") {
				value, ok := image[f.String("name")]
				if !ok {
					return nil, &Error{Code: "InvalidParameterValue", Action: action, Message: fmt.Sprintf("The filter '%s' is invalid", f.String("name")),
						Why: "the model knows the filters " + strings.Join(sortedKeys(image), ", ")}
				}
				fits = fits && anyMatch(f.Strings("values"), value)
			}
			if !fits {
				continue
			}
			if found != nil {
				if !in.Bool("mostRecent") {
					return nil, fmt.Errorf("your query returned more than one result: narrow the filters, or set mostRecent")
				}
				continue
			}
			id := "ami-0" + draw(16, a.Region, family)
			found = map[string]any{
				"id": id, "imageId": id, "name": family, "architecture": arch, "arn": "arn:" + a.Partition + ":ec2:" + a.Region + "::image/" + id,
				"creationDate": "2025-01-16T00:00:00.000Z", "description": "Amazon Linux", "ownerId": "137112412989", "imageOwnerAlias": "amazon",
				"rootDeviceName": "/dev/xvda", "rootDeviceType": "ebs", "virtualizationType": "hvm", "hypervisor": "xen", "state": "available",
				"enaSupport": true, "public": true, "imageType": "machine", "rootSnapshotId": "snap-0" + draw(16, a.Region, family, "root"),
				"sriovNetSupport": "simple",
				"imageLocation":   "amazon/" + family, "kernelId": "", "platform": "", "platformDetails": "Linux/UNIX", "ramdiskId": "",
				"usageOperation": "RunInstances",
				"bootMode":       "uefi-preferred", "imdsSupport": "v2.0", "deprecationTime": "", "tpmSupport": "",
				"stateReason":         map[string]any{"code": "UNSET", "message": "UNSET"},
				"blockDeviceMappings": []any{}, "productCodes": []any{}, "tags": map[string]any{},
			}
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, &Error{Code: "InvalidAMIID.NotFound", Action: action,
		Message: "Your query returned no results. Please change your search criteria and try again.",
		Why:     "no Amazon Linux 2023 or 2 image matches the filters"}
}

// publicParameter is the value of a public parameter of AWS.
func (a *Account) publicParameter(name string) (string, bool) {
	for _, prefix := range []string{"/aws/service/ami-amazon-linux-latest/", "/aws/service/ecs/optimized-ami/"} {
		image, ok := strings.CutPrefix(name, prefix)
		if ok && (strings.Contains(image, "x86_64") || strings.Contains(image, "arm64") || strings.HasSuffix(image, "/recommended/image_id")) {
			return "ami-0" + draw(16, a.Region, name), true
		}
	}
	return "", false
}

func parameterSource(a *Account, in Inputs) (map[string]any, error) {
	name := in.String("name")
	if value, ok := a.publicParameter(name); ok {
		return map[string]any{
			"id": name, "name": name, "type": "String", "value": value, "insecureValue": value, "version": 1,
			"arn": "arn:" + a.Partition + ":ssm:" + a.Region + "::parameter" + name, "withDecryption": true,
		}, nil
	}
	o := a.find("name", name, parameterType)
	if o == nil {
		o = a.find("arn", name, parameterType)
	}
	if o == nil {
		return nil, &Error{Code: "ParameterNotFound", Action: "ssm:GetParameter", Message: "couldn't find resource",
			Why: fmt.Sprintf("the account has no parameter %q, and the model knows no public parameter of that name", name)}
	}
	out := Inputs(o.Outputs)
	answer := map[string]any{"id": name, "name": name, "type": out.String("type"), "value": out.String("value"), "version": out.Get("version"),
		"arn": out.String("arn"), "withDecryption": true}
	if out.String("type") != "SecureString" {
		answer["insecureValue"] = out.String("value")
	}
	return answer, nil
}

// registryToken is the password for docker login to the account's registry, and its token. It has a realistic length.
func (a *Account) registryToken() (password, token string) {
	password = strings.Repeat(draw(64, a.AccountID, a.Region, a.now().Truncate(12*time.Hour).String()), 4)
	return password, base64.StdEncoding.EncodeToString([]byte("AWS:" + password))
}

func zoneSource(a *Account, in Inputs) (map[string]any, error) {
	id, name := in.String("zoneId"), strings.TrimSuffix(in.String("name"), ".")
	if id == "" && name == "" {
		return nil, fmt.Errorf("route53.getZone needs zoneId or name")
	}
	var found []*Object
	for _, o := range a.list(zoneType) {
		out := Inputs(o.Outputs)
		private := len(out.List("vpcs")) > 0
		if private != in.Bool("privateZone") && id == "" || id != "" && o.ID != id || name != "" &&
			strings.TrimSuffix(out.String("name"), ".") != name {
			continue
		}
		found = append(found, o)
	}
	switch len(found) {
	case 0:
		return nil, &Error{Code: "NoSuchHostedZone", Action: "route53:ListHostedZones", Status: 404,
			Message: "no matching Route 53 Hosted Zone found", Why: fmt.Sprintf("the account has %s", zoneNames(a))}
	case 1:
	default:
		return nil, fmt.Errorf("multiple Route 53 Hosted Zones matched %q: %s and %s", name, found[0].ID, found[1].ID)
	}
	o := found[0]
	answer := cloneMap(o.Outputs)
	for _, k := range []string{"forceDestroy", "delegationSetId", "vpcs"} {
		delete(answer, k)
	}
	answer["id"], answer["zoneId"], answer["privateZone"] = o.ID, o.ID, len(Inputs(o.Outputs).List("vpcs")) > 0
	return answer, nil
}

func zoneNames(a *Account) string {
	var names []string
	for _, o := range a.list(zoneType) {
		names = append(names, Inputs(o.Outputs).String("name"))
	}
	if len(names) == 0 {
		return "no zones; a rehearsal gets its registered domains as an option"
	}
	sort.Strings(names)
	return "the zones " + strings.Join(names, ", ")
}

func aliasSource(a *Account, in Inputs) (map[string]any, error) {
	name := in.String("name")
	if service, ok := strings.CutPrefix(name, "alias/aws/"); ok {
		id := drawUUID(a.AccountID, a.Region, service)
		return map[string]any{"id": a.arn("kms", name), "arn": a.arn("kms", name), "name": name, "targetKeyId": id,
			"targetKeyArn": a.arn("kms", "key/"+id)}, nil
	}
	o := a.find("name", name, aliasType)
	if o == nil {
		return nil, &Error{Code: "NotFoundException", Action: "kms:DescribeKey",
			Message: fmt.Sprintf("Alias %s is not found.", a.arn("kms", name))}
	}
	out := Inputs(o.Outputs)
	return map[string]any{"id": out.String("arn"), "arn": out.String("arn"), "name": name, "targetKeyId": out.String("targetKeyId"),
		"targetKeyArn": out.String("targetKeyArn")}, nil
}
