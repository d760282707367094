package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"

	"slipway/engine"
)

// Outputs returns the outputs of the program's last run. A stack that is not up has none, which is an error.
func Outputs(ctx context.Context, t Target, showSecrets bool) (outputs map[string]any, err error) {
	err = reading(ctx, t, func(s *engine.Stack) error {
		outputs, err = s.Outputs(ctx, showSecrets)
		return err
	})
	if err == nil && len(outputs) == 0 {
		err = fmt.Errorf("stack %s is not up: it was destroyed, or its first up did not end; bring it up with: slipway up%s", t.Stack, t.Flags())
	}
	return outputs, err
}

// Export is the state of the stack, as `pulumi stack export` writes it.
func Export(ctx context.Context, t Target, showSecrets bool) (state []byte, err error) {
	err = reading(ctx, t, func(s *engine.Stack) error {
		state, err = s.Export(ctx, showSecrets)
		return err
	})
	return state, err
}

// reading opens the stack to read its state.
func reading(ctx context.Context, t Target, read func(*engine.Stack) error) (err error) {
	if t.Live {
		c, err := configure(t)
		if err != nil {
			return err
		}
		s, err := open(ctx, t, c, openArgs{operation: "read"})
		if err != nil {
			return err
		}
		return errors.Join(missing(t, read(s.stack)), s.close())
	}
	options, err := stored(t)
	if err != nil {
		return err
	}
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	return missing(t, read(s))
}

// An Output is one value of a stack's outputs.
type Output struct {
	Key   string // as in the JSON, below another one after a dot: images.django
	Name  string // for people
	Value any
}

// names are the outputs in the order in which people look for them.
var names = []Output{
	{Key: "url", Name: "URL"},
	{Key: "dashboard", Name: "Dashboard"},
	{Key: "cluster", Name: "Cluster"},
	{Key: "service", Name: "Service"},
	{Key: "taskDefinition", Name: "Task definition"},
	{Key: "images.django", Name: "Django image"},
	{Key: "images.nginx", Name: "nginx image"},
	{Key: "databaseAddress", Name: "Database"},
	{Key: "mediaBucket", Name: "Media bucket"},
	{Key: "logBucket", Name: "Log bucket"},
	{Key: "bastion.instance", Name: "Bastion"},
	{Key: "bastion.sessionDocument", Name: "Session document"},
	{Key: "deployRole", Name: "Deploy role"},
	{Key: "readRole", Name: "Read role"},
}

// Describe lists outputs, the URL first, each under a name for people. What the list of names does not know is at the end.
func Describe(outputs map[string]any) []Output {
	var all []Output
	flatten(outputs, "", &all)
	place := func(key string) int {
		if i := slices.IndexFunc(names, func(n Output) bool { return n.Key == key }); i >= 0 {
			return i
		}
		return len(names)
	}
	for i := range all {
		all[i].Name = spaced(all[i].Key)
		if at := place(all[i].Key); at < len(names) {
			all[i].Name = names[at].Name
		}
	}
	slices.SortStableFunc(all, func(a, b Output) int {
		return cmp.Or(cmp.Compare(place(a.Key), place(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	return all
}

func flatten(values map[string]any, prefix string, all *[]Output) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if below, ok := values[key].(map[string]any); ok && len(below) > 0 {
			flatten(below, prefix+key+".", all)
			continue
		}
		*all = append(*all, Output{Key: prefix + key, Value: values[key]})
	}
}

// spaced makes words of a key: "images.workerMail" is "Images worker mail".
func spaced(key string) string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case r == '.':
			r = ' '
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte(' ')
			r = unicode.ToLower(r)
		case i == 0:
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Pick is the output that a key or a name asks for: url, images, images.django, "Task definition".
func Pick(outputs map[string]any, key string) (any, error) {
	if value, ok := outputs[key]; ok {
		return value, nil
	}
	all := Describe(outputs)
	var keys []string
	for _, one := range all {
		if one.Key == key || strings.EqualFold(one.Name, key) || strings.EqualFold(one.Key, key) {
			return one.Value, nil
		}
		keys = append(keys, one.Key)
	}
	if near := Near(key, keys); near != "" {
		return nil, UsageError{fmt.Errorf("there is no output %q: did you mean %s?", key, near)}
	}
	return nil, UsageError{fmt.Errorf("there is no output %q; the outputs are %s", key, strings.Join(keys, ", "))}
}

// Near is the word that is most like another one; "": none is.
func Near(word string, words []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, one := range words {
		d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(one))
		if d < least {
			best, least = one, d
		}
	}
	return best
}

// Connect lists the commands that connect to what runs, for a POSIX shell, by what they are for. Session Manager and ECS Exec need
// AWS's Session Manager plugin beside its CLI.
func Connect(outputs map[string]any) []Output {
	text := func(key string) string {
		value, err := Pick(outputs, key)
		if err != nil {
			return ""
		}
		found, _ := value.(string)
		return found
	}
	region := ""
	if parts := strings.Split(text("taskDefinition"), ":"); len(parts) > 3 {
		region = " --region " + parts[3]
	}
	var all []Output
	if cluster, service := text("cluster"), text("service"); cluster != "" && service != "" {
		all = append(all, Output{Key: "django", Name: "A Django shell in a web task", Value: fmt.Sprintf("aws ecs execute-command%s --cluster %s"+
			" --task $(aws ecs list-tasks%[1]s --cluster %[2]s --service-name %[3]s --query 'taskArns[0]' --output text)"+
			" --container django --interactive --command 'python manage.py shell'", region, cluster, service)})
	}
	if instance, document := text("bastion.instance"), text("bastion.sessionDocument"); instance != "" {
		all = append(all, Output{Key: "bastion", Name: "A shell on the bastion, which reaches the database", Value: fmt.Sprintf(
			"aws ssm start-session%s --target %s --document-name %s", region, instance, document)})
	}
	return all
}
