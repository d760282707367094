package config

import "unicode"

func (d *decoder) rules(s *Stack) {}

// provider reads the keys of the AWS provider that the program must know too.
func (d *decoder) provider(s *Stack) {
	s.Region = d.source.Values["aws:region"].Text
}

func secretText(string) string { return "" }

func printable(s string) bool {
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
