package cloud

import "maps"

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
