package cloud

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Options choose the account and region to model.
type Options struct {
	Region    string        // default us-east-1
	AccountID string        // default 123456789012
	Partition string        // default: that of the region (aws, aws-cn or aws-us-gov)
	Wait      time.Duration // how long to wait while another process uses the model; default: not at all
	Zones     []HostedZone  // public DNS zones that exist before the program runs
	Now       func() time.Time
}

// A HostedZone is a DNS zone that exists before the program runs, such as that of a registered domain.
type HostedZone struct {
	Name string // "example.com"
	ID   string // default: derived from the name
}

// DefaultAccountID is the account ID when Options set none.
const DefaultAccountID = "123456789012"

// Open opens the account stored at path, or creates an empty one, and locks it until Close. If another process holds the
// lock, the error names it.
func Open(path string, options Options) (*Account, error) {
	s, err := openStore(path, options.Wait)
	if err != nil {
		return nil, err
	}
	a, err := load(s, options)
	if err != nil {
		s.close()
		return nil, err
	}
	return a, nil
}

// Peek reads the account stored at path, as its last change left it, also while another process uses it. It cannot be changed, and need not
// be closed. If there is none, the error is fs.ErrNotExist.
func Peek(path string) (*Account, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s := &store{path: path}
	if err := s.readKey(); err != nil {
		return nil, err
	}
	return load(s, Options{})
}

func load(s *store, options Options) (*Account, error) {
	img, err := s.load()
	if err != nil {
		return nil, err
	}
	if img == nil {
		return empty(s, options)
	}
	if options.AccountID != "" && options.AccountID != img.AccountID {
		return nil, fmt.Errorf("the model %s belongs to account %s, not %s", s.path, img.AccountID, options.AccountID)
	}
	options.AccountID = img.AccountID
	options.Region = orElse(options.Region, img.Region)
	a, err := empty(s, options)
	if err != nil {
		return nil, err
	}
	if err := a.restore(img); err != nil {
		return nil, fmt.Errorf("the model %s is damaged: %w", s.path, err)
	}
	if a.Region != img.Region && !a.empty() {
		return nil, fmt.Errorf("the model %s holds resources in %s, and the stack now says %s: destroy them first", s.path, img.Region, a.Region)
	}
	return a, nil
}

// empty is an account that holds only the public DNS zones of the options.
func empty(s *store, options Options) (*Account, error) {
	a := &Account{
		Region: orElse(options.Region, "us-east-1"), AccountID: orElse(options.AccountID, DefaultAccountID), Partition: options.Partition,
		registry: awsRegistry(), now: options.Now, store: s,
		objects: map[string]map[string]*Object{}, order: map[*Object]int{}, encoded: map[*Object]json.RawMessage{}, arns: map[string]*Object{},
	}
	a.judges = map[string]judge{Permissions: callers{a}, Paths: &paths{a: a}, Contracts: broken{a}, Settings: settings{a}}
	if a.now == nil {
		a.now = time.Now
	}
	if !accountForm.MatchString(a.AccountID) {
		return nil, fmt.Errorf("an account ID has 12 digits, got %q", a.AccountID)
	}
	r, ok := regions[a.Region]
	if !ok {
		return nil, UnknownRegion(a.Region)
	}
	a.Partition = orElse(a.Partition, r.partition())
	for _, zone := range options.Zones {
		a.seedZone(zone)
	}
	return a, nil
}

// restore loads the contents of the file.
func (a *Account) restore(img *image) error {
	for _, data := range img.Objects {
		o, err := a.store.decode(data)
		if err != nil {
			return err
		}
		if o.Seeded && a.store.lock != nil && slices.Contains([]string{zoneType, snapshotType, scheduledSecret}, o.Type) {
			continue // the options name the zones again, and what a destroyed stack left behind must not block the next one
		}
		a.insert(o)
		a.encoded[o] = data
	}
	for _, data := range img.Tasks {
		var t TaskRecord
		if err := json.Unmarshal(data, &t); err != nil {
			return err
		}
		a.tasks = append(a.tasks, t)
	}
	for _, data := range img.Rollouts {
		var r Rollout
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		a.rollouts = append(a.rollouts, r)
	}
	return nil
}

// seedZone adds a DNS zone that exists before the program.
func (a *Account) seedZone(zone HostedZone) {
	name := strings.TrimSuffix(zone.Name, ".")
	id := zone.ID
	if id == "" {
		id = "Z" + drawLetters(20, "zone", name)
	}
	if a.get(zoneType, id) != nil {
		return
	}
	o := &Object{Type: zoneType, ID: id, Seeded: true, Inputs: map[string]any{"name": name}, Outputs: map[string]any{
		"name": name, "zoneId": id, "arn": "arn:" + a.Partition + ":route53:::hostedzone/" + id, "comment": "",
		"nameServers":       []any{"ns-1.awsdns-00.com", "ns-2.awsdns-00.net", "ns-3.awsdns-00.org", "ns-4.awsdns-00.co.uk"},
		"primaryNameServer": "ns-1.awsdns-00.com",
	}}
	a.insert(o)
	a.encoded[o], _ = a.store.encode(o)
	a.version++
}
