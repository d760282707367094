package config

import "slipway/internal/version"

const versionKey = "version"

// writtenFor is the version of slipway that a stack was set up with; "" if it does not say, or not in the form of a version.
func (s Source) writtenFor() string {
	raw := s.Values[s.Project+":"+versionKey]
	of := raw.Text
	if raw.tree != nil {
		of = raw.tree.text
	}
	if !version.Valid(of) {
		return ""
	}
	return of
}

// tooNew refuses a stack that was set up with a newer slipway, and reports whether it was.
func (d *decoder) tooNew() bool {
	of := d.source.writtenFor()
	if !version.Newer(of) {
		return false
	}
	d.add(versionKey, "", "the stack was set up with slipway %s, and this is %s. Get %[1]s from %[3]s; or, if the stack needs nothing that "+
		"is new in it, write %[2]s here", of, version.Number, version.Release(of))
	return true
}

func (d *decoder) version(of string) {
	if of != "" && !version.Valid(of) {
		d.add(versionKey, quoted(of), "must be a version of slipway, such as 0.4.0")
	}
}

// Older is the version of an older slipway that a stack was set up with; "": it was set up with this one, or does not say.
func (s Source) Older() string {
	if of := s.writtenFor(); version.Older(of) {
		return of
	}
	return ""
}
