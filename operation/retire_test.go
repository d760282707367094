package operation

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awstest"
	"slipway/operation/account/awsaccount"
)

type said = awstest.Answer

const awsPart = "arn:aws:ecs:us-east-1:123456789012:"

// settings are those of the SDK as the environment has them.
func settings(t *testing.T) aws.Config {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// Exactly the definitions with the stack's tags are deregistered, whatever page they are on.
func TestRetireGoesByTags(t *testing.T) {
	described := func(prefix, stack string) said { // a stack whose company has a tag project puts slipway: before its own
		return said{"taskDefinition": map[string]any{"status": "ACTIVE"}, "tags": []any{
			map[string]any{"key": prefix + "project", "value": "shop"}, map[string]any{"key": prefix + "stack", "value": stack}}}
	}
	list := func(next string, names ...string) said {
		var arns []string
		for _, n := range names {
			arns = append(arns, awsPart+"task-definition/"+n)
		}
		a := said{"taskDefinitionArns": arns}
		if next != "" {
			a["nextToken"] = next
		}
		return a
	}
	calls := awstest.Pretend(t, map[string][]said{
		"ListTaskDefinitionFamilies": {{"families": []string{"shop-dev-web"}, "nextToken": "more"}, {"families": []string{"shop-dev-2-web"}}},
		"ListTaskDefinitions":        {list("more", "shop-dev-web:1"), list("", "shop-dev-web:2"), list("", "shop-dev-2-web:1")},
		"DescribeTaskDefinition":     {described("", "dev"), described("slipway:", "dev"), described("", "dev-2")},
		"DeregisterTaskDefinition":   {{}},
	})
	n, err := Retire(t.Context(), awsaccount.TaskDefinitions(settings(t)), "shop", "dev")
	if n != 2 || err != nil {
		t.Errorf("%d retired, %v", n, err)
	}
	var gone []string
	for _, c := range calls() {
		if operation, words, _ := strings.Cut(c, " "); operation == "DeregisterTaskDefinition" {
			gone = append(gone, words)
		} else if strings.HasPrefix(operation, "List") && !strings.Contains(words, `"status":"ACTIVE"`) {
			t.Errorf("%s asks for inactive ones as well: %s", operation, words)
		}
	}
	want := []string{`{"taskDefinition":"` + awsPart + `task-definition/shop-dev-web:1"}`,
		`{"taskDefinition":"` + awsPart + `task-definition/shop-dev-web:2"}`}
	if !slices.Equal(gone, want) {
		t.Errorf("deregistered are %q", gone)
	}
}

func TestRetireSaysWhatStays(t *testing.T) {
	awstest.Pretend(t, map[string][]said{"ListTaskDefinitionFamilies": {{"__type": "AccessDeniedException", "message": "not authorized"}}})
	_, err := Retire(t.Context(), awsaccount.TaskDefinitions(settings(t)), "shop", "dev")
	if err == nil || !strings.Contains(err.Error(), "stay registered, which costs nothing; destroy again") {
		t.Errorf("error is %v", err)
	}
}

func TestRetireAgainstMoto(t *testing.T) {
	awstest.Point(t, awstest.Moto(t, "-m", "moto.server"))
	settings := settings(t)
	client := ecs.NewFromConfig(settings)
	for _, family := range []string{"shop-dev-web", "shop-dev-web", "shop-dev-2-web"} {
		stack := strings.TrimSuffix(strings.TrimPrefix(family, "shop-"), "-web")
		if _, err := client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(family), Tags: []types.Tag{{Key: aws.String("project"), Value: aws.String("shop")},
				{Key: aws.String("stack"), Value: aws.String(stack)}},
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("django"), Image: aws.String("r/django:1"), Memory: aws.Int32(512)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := Retire(t.Context(), awsaccount.TaskDefinitions(settings), "shop", "dev"); n != want || err != nil {
			t.Errorf("%d retired, want %d: %v", n, want, err)
		}
	}
	if left, err := awsaccount.TaskDefinitions(settings).Active(t.Context(), "shop-dev-2-"); len(left) != 1 || err != nil {
		t.Errorf("of the other stack there are %v, %v", left, err)
	}
}
