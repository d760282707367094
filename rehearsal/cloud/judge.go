package cloud

import (
	"fmt"
	"regexp"
	"strings"
)

// checkState checks o against the account: its references, its name, and the kind's own rules.
func (a *Account) checkState(k *rule, o *Object, action string) error {
	for i := range k.refs {
		if err := a.resolve(k, &k.refs[i], o, action); err != nil {
			return err
		}
	}
	if err := a.untaken(k, o, action); err != nil {
		return err
	}
	if err := a.checkUses(o); err != nil {
		return acting(err, action)
	}
	if k.CheckState != nil {
		if err := k.CheckState(a, o); err != nil {
			return acting(err, action)
		}
	}
	for _, name := range Judges {
		if err := a.judges[name].check(o); err != nil {
			return acting(err, action)
		}
	}
	return nil
}

// The judges of a site, by the names by which FindingsOf takes them.
const (
	Permissions = "permissions" // calls of services and roles that would be denied when they happen
	Paths       = "paths"       // connections that would be blocked, or that the internet could open
	Contracts   = "contracts"   // what images, tasks, load balancer and database need of each other
	Settings    = "settings"    // settings that AWS accepts and that do not work together
)

// Judges are all of them, in the order in which they report.
var Judges = []string{Permissions, Paths, Contracts, Settings}

// A judge looks at the account as a whole. It expects that its caller holds the lock.
type judge interface {
	changed(o *Object)     // o was put into the account, or dropped from it
	check(o *Object) error // AWS's refusal of a create or an update
	findings() []Finding   // what the deployment did not trip over
}

// resolve checks that the target of a reference exists.
func (a *Account) resolve(k *rule, ref *parsedRef, o *Object, action string) (err error) {
	each(o.Inputs, ref.path, "", func(path string, v any) {
		s, ok := v.(string)
		if !ok || s == "" || err != nil {
			return
		}
		for _, by := range ref.by {
			if a.find(by, s, ref.To...) != nil {
				return
			}
		}
		if ref.Any && !a.ours(s) {
			return
		}
		target := a.registry.kinds[ref.To[0]]
		what := noun(ref.To[0])
		e := &Error{Action: action, Message: fmt.Sprintf("The %s '%s' does not exist", what, s),
			Why: fmt.Sprintf("%s names it in %s, and the account has no such %s", o.describe(), path, what),
			Fix: fmt.Sprintf("create the %s first, or change %s of %s", what, path, o.describe())}
		if target != nil {
			e.Code = target.notFound()
		} else {
			e.Code = "ResourceNotFoundException"
		}
		err = e
	})
	return err
}

// untaken refuses a name that another object already has.
func (a *Account) untaken(k *rule, o *Object, action string) error {
	name := k.name(o)
	if k.Name.Taken == "" || name == "" {
		return nil
	}
	scope := ""
	if k.Name.Scope != "" && k.Name.Scope != "global" {
		scope = Inputs(o.Inputs).String(k.Name.Scope)
	}
	for _, other := range a.objects[o.Type] {
		if other.ID == o.ID || k.name(other) != name || scope != "" && Inputs(other.Inputs).String(k.Name.Scope) != scope {
			continue
		}
		return &Error{Code: k.Name.Taken, Action: action, Status: 409, Message: fmt.Sprintf("A %s with the name '%s' already exists",
			noun(o.Type), name), Why: "the account has " + other.called(),
			Fix: fmt.Sprintf("give the %s another name", noun(o.Type))}
	}
	return nil
}

// users names the objects that refer to o and so prevent its deletion.
func (a *Account) users(o *Object) []string {
	var users []string
	own := Key(o.Type, o.ID)
	for _, h := range a.registry.holders[o.Type] {
		if h.ref.Weak {
			continue
		}
		for _, user := range a.list(h.kind.Type) {
			if user == o || user.Owner == own || o.Owner != "" && user.Owner == o.Owner {
				continue
			}
			each(user.Inputs, h.ref.path, "", func(path string, v any) {
				if s, ok := v.(string); ok && h.ref.matches(o, s) && a.find("id", o.ID, h.ref.To...) == o {
					users = append(users, user.called()+" by its "+path)
				}
			})
		}
	}
	return users
}

func several(items []string) string {
	const most = 5
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", len(items)-most)
	}
	return strings.Join(items, ", ")
}

// ours reports whether value looks like a resource of this account.
func (a *Account) ours(value string) bool {
	if strings.HasPrefix(value, "arn:") {
		parts := strings.SplitN(value, ":", 6)
		return len(parts) == 6 && parts[4] == a.AccountID
	}
	return idForm.MatchString(value)
}

var idForm = regexp.MustCompile(`^[a-z]+-[0-9a-f]{8,17}$`)
