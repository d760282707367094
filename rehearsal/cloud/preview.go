package cloud

import "maps"

// foreseenName refuses, already in a preview, a name that another resource has. The object that is to be replaced may have it:
// the engine deletes that first.
func (a *Account) foreseenName(k *rule, c Change) error {
	in, _, _ := plainInputs(c.Inputs)
	o := &Object{Type: c.Type, URN: c.URN, Inputs: in}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, other := range a.objects[c.Type] {
		if other.URN == c.URN {
			return nil
		}
	}
	return a.untaken(k, o, k.CreateAction)
}

// foresee predicts the outputs in a preview: the inputs, their defaults, and Unknown for what AWS computes.
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
		out["tagsAll"] = foreseenTags(c)
	}
	recomputed := k.recomputedBy(e, c, olds)
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

// foreseenTags are the tags of the change merged with the provider's default tags; Unknown while the tags are.
func foreseenTags(c Change) any {
	tags, ok := c.Inputs["tags"].(map[string]any)
	if !ok && c.Inputs["tags"] != nil {
		return Unknown
	}
	all := map[string]any{}
	for name, v := range c.Tags {
		all[name] = v
	}
	maps.Copy(all, tags)
	return all
}

// recomputedBy are the outputs that are unknown until the update is applied.
func (k *rule) recomputedBy(e *entry, c Change, olds map[string]any) map[string]bool {
	names := map[string]bool{}
	if olds == nil {
		return names
	}
	for _, change := range k.compare(e, Difference{Type: c.Type, OldInputs: olds, News: c.Inputs, Tags: c.Tags}) {
		for _, name := range k.recomputed(change.Path) {
			names[name] = true
		}
	}
	return names
}
