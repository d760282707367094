package cloud

import (
	"fmt"
	"regexp"
	"strings"
)

// A region is what the model knows about a region: the letters of the zones that a new account sees, and the prefix of the zone
// ids, which are the same in every account.
type region struct {
	name, zones, short string
}

var regions = func() map[string]region {
	all := map[string]region{}
	for line := range strings.Lines(`
us-east-1 abcdef use1
us-east-2 abc use2
us-west-1 ac usw1
us-west-2 abcd usw2
af-south-1 abc afs1
ap-east-1 abc ape1
ap-east-2 abc ape2
ap-south-1 abc aps1
ap-south-2 abc aps2
ap-northeast-1 acd apne1
ap-northeast-2 abcd apne2
ap-northeast-3 abc apne3
ap-southeast-1 abc apse1
ap-southeast-2 abc apse2
ap-southeast-3 abc apse3
ap-southeast-4 abc apse4
ap-southeast-5 abc apse5
ap-southeast-6 abc apse6
ap-southeast-7 abc apse7
ca-central-1 abd cac1
ca-west-1 abc caw1
eu-central-1 abc euc1
eu-central-2 abc euc2
eu-west-1 abc euw1
eu-west-2 abc euw2
eu-west-3 abc euw3
eu-north-1 abc eun1
eu-south-1 abc eus1
eu-south-2 abc eus2
il-central-1 abc ilc1
me-central-1 abc mec1
me-south-1 abc mes1
mx-central-1 abc mxc1
sa-east-1 abc sae1
us-gov-east-1 abc usge1
us-gov-west-1 abc usgw1
cn-north-1 abd cnn1
cn-northwest-1 abc cnnw1`) {
		if f := strings.Fields(line); len(f) == 3 {
			all[f[0]] = region{f[0], f[1], f[2]}
		}
	}
	return all
}()

// Regions lists the names of the regions.
func Regions() []string { return sortedKeys(regions) }

// UnknownRegion is the error for a region that does not exist; it names the most similar one that does.
func UnknownRegion(name string) error {
	return fmt.Errorf("there is no AWS region %q%s", name, suggest(name, Regions()))
}

func (r region) partition() string {
	switch {
	case strings.HasPrefix(r.name, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(r.name, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// dnsSuffix is the end of the host names of the region's services.
func (r region) dnsSuffix() string {
	if r.partition() == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// zoneNames are the region's availability zones: "us-east-1a".
func (r region) zoneNames() []string {
	var all []string
	for _, letter := range r.zones {
		all = append(all, r.name+string(letter))
	}
	return all
}

// zoneIDs are the ids of the same zones; an id is the same place in every account: "use1-az1".
func (r region) zoneIDs() []string {
	var all []string
	for i := range r.zones {
		all = append(all, fmt.Sprintf("%s-az%d", r.short, i+1))
	}
	return all
}

// Zones are the names of the availability zones that the account sees in its region.
func (a *Account) Zones() []string { return regions[a.Region].zoneNames() }

func knownRegion(name string) bool { _, ok := regions[name]; return ok }

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)
