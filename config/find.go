package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Kind says how a value on a command line is read.
type Kind int

// Text is read as it is. Plain is a number, true or false. Composite is a list or an object, written as YAML or JSON.
const (
	Text Kind = iota
	Plain
	Composite
)

// Find returns the kind of a key and of a path in it: slipway:web and max, or slipway:workers, 0 and command. The steps are
// strings and numbers. The error names the key that was probably meant.
func Find(project, key string, path []any) (Kind, error) {
	space, name, _ := strings.Cut(key, ":")
	var t reflect.Type
	written := name
	switch {
	case space == project:
		t = reflect.TypeFor[Stack]()
	case space == "aws":
		t, written = reflect.TypeFor[AWS](), key
		if rule := providers[space](name); rule != "" {
			return 0, errors.New(rule)
		}
	case providers[space] != nil:
		if rule := providers[space](name); rule != "" {
			return 0, errors.New(rule)
		}
		if len(path) > 0 {
			return Text, nil
		}
		return Composite, nil
	default:
		return 0, fmt.Errorf("unknown namespace; Slipway reads %s and aws", project)
	}
	found, err := member(t, "", name)
	if err != nil {
		return 0, err
	}
	for t = found; len(path) > 0; path = path[1:] {
		switch index, isIndex := path[0].(int); {
		case t.Kind() == reflect.Slice && isIndex && index >= 0:
			t, written = t.Elem(), fmt.Sprintf("%s[%d]", written, index)
		case t.Kind() == reflect.Slice:
			return 0, fmt.Errorf("%s is a list: name an item, such as %s[0]", written, written)
		case isIndex:
			return 0, fmt.Errorf("%s is not a list", written)
		case t.Kind() == reflect.Struct:
			if t, err = member(t, written, fmt.Sprint(path[0])); err != nil {
				return 0, err
			}
			written += "." + fmt.Sprint(path[0])
		case t.Kind() == reflect.Map:
			t, written = t.Elem(), step(written, fmt.Sprint(path[0]))
		default:
			return 0, fmt.Errorf(`%s is not an object; a name with a dot is written as ["a.b"]`, written)
		}
	}
	switch (field{typ: t}).kind() {
	case boolean, number:
		return Plain, nil
	case list, object:
		return Composite, nil
	}
	return Text, nil
}

// member is the type of a key of a struct.
func member(t reflect.Type, path, key string) (reflect.Type, error) {
	fields := fieldsOf(t)
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i >= 0 {
		return fields[i].typ, nil
	}
	if _, ok := renamed[path+"."+key]; ok {
		return nil, errors.New(unknown(path, key, nil))
	}
	if _, ok := hints[path+"."+key]; ok {
		return nil, errors.New(unknown(path, key, nil))
	}
	if meant := meantBy(path, key, keysOf(t)); meant != "" {
		return nil, fmt.Errorf("did you mean %s?", meant)
	}
	return nil, errors.New(unknown(path, key, keysOf(t)))
}

// meantBy is the key that was probably meant: one beside it with a similar name, one with this name elsewhere, or one whose
// whole path is similar.
func meantBy(path, key string, beside []string) string {
	if near := nearest(key, beside); near != "" {
		return strings.TrimPrefix(path+"."+near, ".")
	}
	var all []string
	for _, k := range Reference() {
		if strings.Contains(k.Path, "[]") {
			continue
		}
		if strings.HasSuffix(strings.ToLower(k.Path), "."+strings.ToLower(key)) {
			return k.Path
		}
		all = append(all, k.Path)
	}
	return nearest(strings.TrimPrefix(path+"."+key, "."), all)
}
