package cloud

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The five operations of a resource's life: Check, Create, Read, Update, Delete. Diff is in diff.go. Inputs and outputs
// that cross this border are raw: they may hold Unknown and Secret.

// A CheckRequest asks whether inputs are right, and for the inputs that the provider makes of them.
type CheckRequest struct {
	Type, URN  string
	News       map[string]any    // raw
	Olds       map[string]any    // raw inputs of the resource as it is; nil for a new one
	Tags       map[string]string // the provider's default tags, which become the resource's own
	RandomSeed []byte            // makes a made-up name repeatable
	Name       string            // a name that the engine's own naming rule makes up; "" for the provider's
	Unnamed    bool              // the engine forbids made-up names
}

// defaultsMark is the input by which providers remember which inputs they filled in.
const defaultsMark = "__defaults"

// Check returns the inputs with a made-up name where the program gave none, and everything that is wrong with them.
func (a *Account) Check(r CheckRequest) (map[string]any, []Problem) {
	k, e, err := known(r.Type)
	if err != nil {
		return nil, []Problem{{Rule: err.Error()}}
	}
	news := make(map[string]any, len(r.News)+2)
	for name, v := range r.News {
		if !strings.HasPrefix(name, "__") && v != nil {
			news[name] = document(e.In[name], v)
		}
	}
	if e.In["tags"] != nil && e.Out["tagsAll"] != nil {
		if tags := defaultTags(r.Tags, news["tags"]); tags != nil {
			news["tags"] = tags
		}
	}
	problems := e.check(news)
	if p := k.autoname(e, news, r); p != nil {
		problems = append(problems, *p)
	}
	in, unknown, secret := plainInputs(news)
	add := func(more []Problem) {
		for _, p := range more {
			if !slices.ContainsFunc(problems, func(q Problem) bool { return q.Path == p.Path }) {
				problems = append(problems, p)
			}
		}
	}
	add(k.checkName(in))
	if k.Check != nil {
		add(k.Check(in, unknown))
	}
	hidden := secretStrings(in, secret)
	secretIn := map[string]bool{}
	secretPaths(e.In, in, "", secretIn)
	hidden = append(hidden, secretStrings(in, secretIn)...)
	for i := range problems {
		problems[i].Rule = redact(problems[i].Rule, hidden)
	}
	return news, problems
}

// document turns a policy that was given as an object into its text, as the provider does.
func document(k *kindOf, v any) any {
	if k == nil || k.Kind != "document" {
		return v
	}
	if m, ok := v.(map[string]any); ok {
		if p, unknown, secret := plainInputs(m); len(unknown) == 0 && len(secret) == 0 {
			if text, err := json.Marshal(p); err == nil {
				return string(text)
			}
		}
	}
	return v
}

// defaultTags are raw tags with the provider's default ones among them, as the provider puts them there. Tags that are not
// known yet, or are none, stay as they are.
func defaultTags(defaults map[string]string, tags any) any {
	if s, ok := tags.(Secret); ok {
		return Secret{defaultTags(defaults, s.Value)}
	}
	own, ok := tags.(map[string]any)
	if len(defaults) == 0 || !ok && tags != nil {
		return tags
	}
	all := make(map[string]any, len(defaults)+len(own))
	for name, v := range defaults {
		all[name] = v
	}
	maps.Copy(all, own)
	return all
}

func (k *rule) checkName(in Inputs) []Problem {
	name := in.String(k.Name.Input)
	if k.Name.Input == "" || name == "" {
		return nil
	}
	n := utf8.RuneCountInString(name)
	switch {
	case k.Name.Max > 0 && n > k.Name.Max:
		return []Problem{{k.Name.Input, fmt.Sprintf("expected %s to have at most %d characters, got %d (%q)", k.Name.Input, k.Name.Max, n, name)}}
	case k.Name.Lower && name != strings.ToLower(name):
		return []Problem{{k.Name.Input, fmt.Sprintf("expected %s to be in lower case, got %q", k.Name.Input, name)}}
	case k.Name.Form != "":
		if ok, err := regexp.MatchString("^(?:"+k.Name.Form+")$", name); err != nil || !ok {
			return []Problem{{k.Name.Input, fmt.Sprintf("%q is not a name that AWS takes for a %s: expected the form %s", name, noun(k.Type), k.Name.Form)}}
		}
	}
	return nil
}

// autoname makes up a name as the official provider does: the logical name, "-" and 7 hexadecimal digits. It keeps the
// one that was made up before.
func (k *rule) autoname(e *entry, news map[string]any, r CheckRequest) *Problem {
	n := k.Name
	if n.Input == "" || n.Manual || slices.Contains(e.Required, n.Input) {
		return nil
	}
	if news[n.Input] != nil || n.Prefix != "" && news[n.Prefix] != nil {
		return nil
	}
	if old, ok := r.Olds[n.Input]; ok && wasDefault(r.Olds, n.Input) {
		news[n.Input], news[defaultsMark] = old, []any{n.Input}
		return nil
	}
	name := r.Name
	if name == "" {
		if r.Unnamed {
			return nil
		}
		name = r.URN[strings.LastIndex(r.URN, "::")+1:]
		name = strings.TrimPrefix(name, ":")
		if n.Max > 0 && len(n.Lead)+len(name)+8 > n.Max {
			return &Problem{n.Input, fmt.Sprintf("a name made of %q and 8 further characters is longer than the %d characters that a %s may have: set %s, or give the resource a shorter name", name, n.Max, noun(k.Type), n.Input)}
		}
		name += "-" + suffix(r.RandomSeed)
	}
	if n.Lower {
		name = strings.ToLower(name)
	}
	if in, _, _ := plainInputs(news); in.Bool("fifoQueue") || in.Bool("fifoTopic") {
		name += ".fifo"
	}
	name = n.Lead + name
	news[n.Input], news[defaultsMark] = name, []any{n.Input}
	return nil
}

func wasDefault(olds map[string]any, name string) bool {
	l, _ := olds[defaultsMark].([]any)
	return slices.Contains(l, any(name))
}

func suffix(seed []byte) string {
	if len(seed) == 0 {
		seed = make([]byte, 16)
		rand.Read(seed)
	}
	sum := sha256.Sum256(seed)
	return hex.EncodeToString(sum[:])[:7]
}

// A Change asks to create or update a resource.
type Change struct {
	Type, URN string
	ID        string            // of the object that is updated; "" in a create
	Inputs    map[string]any    // raw, as Check returned them
	Tags      map[string]string // the provider's default tags
	Preview   bool              // nothing happens; what is not known before the change is Unknown in the answer
}

// Create makes an object and returns its ID and raw outputs. The account is on disk when it returns. With an *Unsteady
// error the object was made all the same.
func (a *Account) Create(c Change) (string, map[string]any, error) {
	k, e, err := known(c.Type)
	if err != nil {
		return "", nil, err
	}
	if c.Preview {
		return "", k.foresee(e, c, nil, nil), nil
	}
	o, err := prepare(k, e, c)
	if err != nil {
		return "", nil, err
	}
	if err := a.before(k.CreateAction, o); err != nil {
		return "", nil, err
	}
	a.mu.Lock()
	err = a.create(k, e, o)
	a.mu.Unlock()
	if err != nil {
		return "", nil, o.hide(err)
	}
	failure, err := a.carry(nil, o)
	if err != nil {
		_, gone := a.Remove(o.Type, o.ID)
		return "", nil, o.hide(errors.Join(err, gone))
	}
	unsteady := a.settle(nil, o, failure)
	if err := a.flush(); err != nil {
		return "", nil, err
	}
	return o.ID, o.raw(o.Outputs), unsteady
}

func (a *Account) create(k *rule, e *entry, o *Object) error {
	if err := a.admit(k, o, k.CreateAction); err != nil {
		return err
	}
	if err := a.compute(k, e, o); err != nil {
		return err
	}
	if a.get(o.Type, o.ID) != nil {
		a.dropOwned(o)
		return acting(&Error{Code: k.Name.taken(), Message: fmt.Sprintf("%s already exists", o.ID), Why: "the account has " + a.get(o.Type, o.ID).called()}, k.CreateAction)
	}
	return a.put(o)
}

// Update changes an object in place and returns its raw outputs. With an *Unsteady error it was changed all the same.
func (a *Account) Update(c Change, olds map[string]any) (map[string]any, error) {
	k, e, err := known(c.Type)
	if err != nil {
		return nil, err
	}
	if c.Preview {
		a.mu.RLock()
		was := a.get(c.Type, c.ID)
		a.mu.RUnlock()
		return k.foresee(e, c, was, olds), nil
	}
	o, err := prepare(k, e, c)
	if err != nil {
		return nil, err
	}
	o.ID = c.ID
	action := k.UpdateAction
	if action == "" {
		action = k.CreateAction
	}
	if err := a.before(action, o); err != nil {
		return nil, err
	}
	was := a.Object(o.Type, o.ID)
	a.mu.Lock()
	err = a.update(k, e, o, action)
	a.mu.Unlock()
	if err != nil {
		return nil, o.hide(err)
	}
	failure, err := a.carry(was, o)
	if err != nil {
		return nil, o.hide(errors.Join(err, a.Alter(o.Type, o.ID, func(o *Object) { *o = *was })))
	}
	unsteady := a.settle(was, o, failure)
	if err := a.flush(); err != nil {
		return nil, err
	}
	return o.raw(o.Outputs), unsteady
}

func (a *Account) update(k *rule, e *entry, o *Object, action string) error {
	was := a.get(o.Type, o.ID)
	if was == nil {
		return &Error{Code: k.notFound(), Action: action, Status: 404, Message: fmt.Sprintf("The %s '%s' does not exist", noun(o.Type), o.ID), Why: "it was deleted outside the program; a refresh takes note of it"}
	}
	o.Owner = was.Owner
	// What AWS chose once stays when the program does not name it any more.
	for _, name := range e.Always {
		if v, ok := was.Outputs[name]; ok && e.In[name] != nil && o.Inputs[name] == nil && name != "tagsAll" {
			o.Outputs[name] = clone(v)
		}
	}
	if err := a.admit(k, o, action); err != nil {
		return err
	}
	if err := a.compute(k, e, o); err != nil {
		return err
	}
	for _, name := range e.Always {
		if v, ok := was.Outputs[name]; ok && o.Outputs[name] == nil {
			o.Outputs[name] = v
		}
	}
	return a.put(o)
}

// Read returns an object's raw inputs and outputs; ok is false when there is none.
func (a *Account) Read(token, id string) (inputs, outputs map[string]any, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.get(token, id)
	if o == nil {
		return nil, nil, false
	}
	return o.raw(o.Inputs), o.raw(o.Outputs), true
}

// Delete removes an object. One that is gone already is no error.
func (a *Account) Delete(token, id string) error {
	k, _, err := known(token)
	if err != nil {
		return err
	}
	a.mu.RLock()
	o := a.get(token, id)
	a.mu.RUnlock()
	if o == nil {
		return nil
	}
	// The provider then makes no call, and the resource stays in the account. Nothing asks after its maker any more.
	if Inputs(o.Outputs).Bool("skipDestroy") {
		return a.Alter(token, id, func(o *Object) { o.URN = "" })
	}
	action := k.DeleteAction
	if action == "" {
		action = k.CreateAction
	}
	if err := a.before(action, o); err != nil {
		return err
	}
	if _, err := a.carry(o, nil); err != nil {
		return o.hide(err)
	}
	a.mu.Lock()
	err = a.delete(k, token, id, action)
	a.mu.Unlock()
	if err != nil {
		return o.hide(err)
	}
	return a.flush()
}

func (a *Account) delete(k *rule, token, id, action string) error {
	o := a.get(token, id)
	if o == nil {
		return nil
	}
	if k.Release != nil {
		if err := k.Release(a, o); err != nil {
			return acting(err, action)
		}
	}
	if k.InUse != "" {
		if users := a.users(o); len(users) > 0 {
			return &Error{Code: k.InUse, Action: action, Message: fmt.Sprintf("The %s '%s' has dependencies and cannot be deleted.", noun(token), id), Why: "in use by " + several(users)}
		}
	}
	a.drop(o)
	if k.Gone != nil {
		k.Gone(a, o)
	}
	return nil
}

// users names the objects that refer to o and keep it from being deleted.
func (a *Account) users(o *Object) []string {
	var users []string
	own := Key(o.Type, o.ID)
	for _, h := range holders[o.Type] {
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

// prepare makes the object that a change asks for, without what AWS works out.
func prepare(k *rule, e *entry, c Change) (*Object, error) {
	in, unknown, secret := plainInputs(c.Inputs)
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s: the engine sent an unknown value outside a preview: %s", c.URN, strings.Join(sortedKeys(unknown), ", "))
	}
	o := &Object{Type: c.Type, URN: c.URN, Inputs: in, Outputs: cloneMap(in)}
	delete(o.Outputs, defaultsMark)
	for path, v := range k.defaults {
		setDefault(o.Outputs, parsePath(path), v)
	}
	if e.Out["tagsAll"] != nil {
		o.Outputs["tagsAll"] = allTags(c.Tags, in)
	}
	o.Secrets = sortedKeys(secret)
	return o, nil
}

func allTags(defaults map[string]string, in Inputs) map[string]any {
	all := map[string]any{}
	for name, v := range defaults {
		all[name] = v
	}
	maps.Copy(all, in.Map("tags"))
	return all
}

// before counts the call and lets the hook answer instead of AWS.
func (a *Account) before(action string, o *Object) error {
	n := a.calls.Add(1)
	if a.Before == nil {
		return nil
	}
	return a.Before(int(n), action, o.copy())
}

// admit judges o against the account: its references, its name, the kind's own rules.
func (a *Account) admit(k *rule, o *Object, action string) error {
	for i := range k.refs {
		if err := a.resolve(k, &k.refs[i], o, action); err != nil {
			return err
		}
	}
	if err := a.untaken(k, o, action); err != nil {
		return err
	}
	if k.Admit != nil {
		return acting(k.Admit(a, o), action)
	}
	return nil
}

// resolve looks up what one reference names.
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
		target := kinds[ref.To[0]]
		what := noun(ref.To[0])
		e := &Error{Action: action, Message: fmt.Sprintf("The %s '%s' does not exist", what, s), Why: fmt.Sprintf("%s names it in %s, and the account has no such %s", o.describe(), path, what)}
		if target != nil {
			e.Code = target.notFound()
		} else {
			e.Code = "ResourceNotFoundException"
		}
		err = e
	})
	return err
}

func (o *Object) describe() string {
	if i := strings.LastIndex(o.URN, "::"); i >= 0 {
		return noun(o.Type) + " " + o.URN[i+2:]
	}
	return "a " + noun(o.Type)
}

var idForm = regexp.MustCompile(`^[a-z]+-[0-9a-f]{8,17}$`)

// ours reports whether value has the form of something of this account.
func (a *Account) ours(value string) bool {
	if strings.HasPrefix(value, "arn:") {
		parts := strings.SplitN(value, ":", 6)
		return len(parts) == 6 && parts[4] == a.AccountID
	}
	return idForm.MatchString(value)
}

// untaken refuses a name that another object has.
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
		return &Error{Code: k.Name.Taken, Action: action, Status: 409, Message: fmt.Sprintf("A %s with the name '%s' already exists", noun(o.Type), name), Why: "the account has " + other.called()}
	}
	return nil
}

// compute lets AWS work out the rest of o.
func (a *Account) compute(k *rule, e *entry, o *Object) error {
	created := o.ID == ""
	if k.Compute != nil {
		if err := k.Compute(a, o); err != nil {
			if created && o.ID != "" {
				a.dropOwned(o)
			}
			return acting(err, k.CreateAction)
		}
	}
	if o.ID == "" {
		o.ID = k.name(o)
	}
	if o.ID == "" {
		return fmt.Errorf("the model gives %s no ID", k.Type)
	}
	o.Outputs = cloneMap(o.Outputs)
	o.markSecrets(e)
	return nil
}

// markSecrets adds what the schema calls secret, and every output that carries a secret input's value.
func (o *Object) markSecrets(e *entry) {
	found := map[string]bool{}
	for _, path := range o.Secrets {
		found[path] = true
	}
	secretPaths(e.In, o.Inputs, "", found)
	secretPaths(e.Out, o.Outputs, "", found)
	hidden := secretStrings(o.Inputs, found)
	if len(hidden) > 0 {
		leaves(o.Outputs, "", func(path, s string) {
			for _, h := range hidden {
				if strings.Contains(s, h) {
					found[path] = true
				}
			}
		})
	}
	o.Secrets = sortedKeys(found)
}

// secretStrings are the strings at the paths that are long enough to be recognised elsewhere.
func secretStrings(in Inputs, paths map[string]bool) []string {
	var all []string
	for path := range paths {
		leaves(in.Get(path), "", func(_, s string) {
			if len(s) >= 6 {
				all = append(all, s)
			}
		})
	}
	return all
}

func redact(text string, hidden []string) string {
	for _, h := range hidden {
		text = strings.ReplaceAll(text, h, "[secret]")
	}
	return text
}

// hide takes the object's secret values out of an error.
func (o *Object) hide(err error) error {
	found := map[string]bool{}
	for _, path := range o.Secrets {
		found[path] = true
	}
	hidden := secretStrings(o.Inputs, found)
	if len(hidden) == 0 {
		return err
	}
	if e, ok := err.(*Error); ok {
		c := *e
		c.Message, c.Why = redact(c.Message, hidden), redact(c.Why, hidden)
		return &c
	}
	return errors.New(redact(err.Error(), hidden))
}

// raw marks the object's secrets in a copy of m, which is its inputs or its outputs.
func (o *Object) raw(m map[string]any) map[string]any {
	c := cloneMap(m)
	// Longest first: a secret inside a secret is marked before the outer one wraps it.
	paths := slices.Clone(o.Secrets)
	slices.SortFunc(paths, func(x, y string) int { return len(y) - len(x) })
	for _, path := range paths {
		replaceAt(c, parsePath(path), func(v any) any { return Secret{v} })
	}
	return c
}

// acting fills in what the kind left out of its error.
func acting(err error, action string) error {
	e, ok := err.(*Error)
	if !ok || e == nil {
		return err
	}
	if e.Action == "" {
		e.Action = action
	}
	return e
}

func (k *rule) notFound() string {
	if k.NotFound != "" {
		return k.NotFound
	}
	return "ResourceNotFoundException"
}

func (n Name) taken() string {
	if n.Taken != "" {
		return n.Taken
	}
	return "ResourceAlreadyExistsException"
}

// foresee says what a preview can: the inputs, what AWS fills in by rule, and Unknown for what it works out.
func (k *rule) foresee(e *entry, c Change, was *Object, olds map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, c.Inputs)
	delete(out, defaultsMark)
	for path, v := range k.defaults {
		if segs := parsePath(path); len(segs) == 1 && out[path] == nil {
			out[path] = v
		}
	}
	if e.Out["tagsAll"] != nil {
		if tags, ok := c.Inputs["tags"].(map[string]any); ok || c.Inputs["tags"] == nil {
			all := map[string]any{}
			for name, v := range c.Tags {
				all[name] = v
			}
			maps.Copy(all, tags)
			out["tagsAll"] = all
		} else {
			out["tagsAll"] = Unknown
		}
	}
	recomputed := map[string]bool{}
	if olds != nil {
		for _, change := range k.compare(e, Difference{Type: c.Type, OldInputs: olds, News: c.Inputs, Tags: c.Tags}) {
			for _, name := range k.recomputed(change.Path) {
				recomputed[name] = true
			}
		}
	}
	var before map[string]any
	if was != nil {
		before = was.raw(was.Outputs)
	}
	computed := func(name string) {
		if out[name] != nil {
			return
		}
		if was != nil && !recomputed[name] {
			if v, ok := before[name]; ok {
				out[name] = v
			}
			return
		}
		out[name] = Unknown
	}
	for name := range e.Out {
		if e.In[name] == nil {
			if recomputed[name] {
				out[name] = Unknown
			}
			computed(name)
		}
	}
	for _, name := range e.Always {
		computed(name)
	}
	for name, t := range e.Out {
		if t.Secret && out[name] != nil {
			if _, ok := out[name].(Secret); !ok && out[name] != any(Unknown) {
				out[name] = Secret{out[name]}
			}
		}
	}
	return out
}
