package check

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Rules about what deployed the project before: workflows of GitHub Actions, and Terraform. Slipway runs neither of them.

// A workflow is a file of GitHub Actions.
type workflow struct {
	file  string
	text  string
	root  *yaml.Node
	steps []*yaml.Node
}

func (p *project) workflows() []workflow {
	var all []workflow
	for _, f := range p.tree.files {
		if !workflowFile.MatchString(f) {
			continue
		}
		var root yaml.Node
		text := p.tree.text(f)
		if err := yaml.Unmarshal([]byte(text), &root); err != nil || len(root.Content) == 0 {
			continue
		}
		w := workflow{file: f, text: text, root: root.Content[0]}
		if jobs := child(w.root, "jobs"); jobs != nil && jobs.Kind == yaml.MappingNode {
			for i := 1; i < len(jobs.Content); i += 2 {
				if steps := child(jobs.Content[i], "steps"); steps != nil && steps.Kind == yaml.SequenceNode {
					w.steps = append(w.steps, steps.Content...)
				}
			}
		}
		all = append(all, w)
	}
	return all
}

var workflowFile = regexp.MustCompile(`(^|/)\.github/workflows/[^/]+\.ya?ml$`)

// child is a value of a mapping, nil if there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// line is the first line of a workflow that matches, 0 if none does.
func (w workflow) line(form *regexp.Regexp) int {
	at := form.FindStringIndex(w.text)
	if at == nil {
		return 0
	}
	return lineAt(w.text, at[0])
}

var (
	staticKeys = regexp.MustCompile(`(?i)aws[-_]secret[-_]access[-_]key\s*[:=]\s*\$\{\{\s*secrets\.`)
	deploys    = regexp.MustCompile(`aws ecs update-service|amazon-ecs-deploy-task-definition|terraform (apply|destroy)|` +
		`pulumi (up|destroy)|` +
		`cdk deploy|docker push`)
	afterOther = regexp.MustCompile(`(?m)^\s*workflow_run\s*:`)
	conclusion = regexp.MustCompile(`workflow_run\.conclusion`)
	movingTag  = regexp.MustCompile(`\.dkr\.ecr\.[^\s"']*:latest\b|(docker (push|build)[^\n]*:latest\b)`)
	described  = regexp.MustCompile(`describe-task-definition`)
	registered = regexp.MustCompile(`register-task-definition`)
	cleaned    = regexp.MustCompile(`del\(|\bpick\(|amazon-ecs-render-task-definition|taskDefinition\.\{|with_entries|` +
		`containerDefinitions:\s*\.`)
	regionOf     = regexp.MustCompile(`(?m)aws-region\s*:\s*["']?([a-z]{2}(?:-[a-z]+)+-\d)\b`)
	toolOf       = regexp.MustCompile(`(?m)(terraform_version|pulumi-version)\s*:\s*["']?([\w.^~-]+)`)
	used         = regexp.MustCompile(`\$\{?([A-Z][A-Z0-9_]*(?:ACCOUNT|REGION|REGISTRY|REPOSITORY|CLUSTER|SERVICE)[A-Z0-9_]*)\b`)
	pushedTo     = regexp.MustCompile(`\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([a-z0-9][a-z0-9._/-]*)`)
	ownVariables = []string{"GITHUB_REPOSITORY", "GITHUB_REPOSITORY_OWNER", "GITHUB_REPOSITORY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"}
)

// checkPipelines looks at workflows that deploy.
func (p *project) checkPipelines() {
	regions, tools := map[string]place{}, map[string]map[string]place{}
	for _, w := range p.workflows() {
		if line := w.line(staticKeys); line > 0 {
			p.find("pipeline-static-keys", place{w.file, line}, "the workflow signs in to AWS with a stored access key")
		}
		if line := w.line(deploys); line > 0 {
			p.checkDeploying(w, line)
		}
		for _, m := range regionOf.FindAllStringSubmatchIndex(w.text, -1) {
			region := w.text[m[2]:m[3]]
			if _, seen := regions[region]; !seen {
				regions[region] = place{w.file, lineAt(w.text, m[2])}
			}
		}
		for _, m := range toolOf.FindAllStringSubmatchIndex(w.text, -1) {
			tool, version := w.text[m[2]:m[3]], w.text[m[4]:m[5]]
			if tools[tool] == nil {
				tools[tool] = map[string]place{}
			}
			if _, seen := tools[tool][version]; !seen {
				tools[tool][version] = place{w.file, lineAt(w.text, m[2])}
			}
		}
	}
	p.checkDiffering("region", regions)
	for _, tool := range []string{"terraform_version", "pulumi-version"} {
		p.checkDiffering(tool, tools[tool])
	}
}

func (p *project) checkDiffering(what string, values map[string]place) {
	if len(values) < 2 {
		return
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	at := values[names[0]]
	for _, name := range names {
		if other := values[name]; other.file < at.file {
			at = other
		}
	}
	p.find("pipeline-differs", at, "the workflows use more than one %s: %s", what, listed(names))
}

// checkDeploying looks at one workflow that deploys.
func (p *project) checkDeploying(w workflow, line int) {
	if child(w.root, "concurrency") == nil && !strings.Contains(w.text, "concurrency:") {
		p.find("pipeline-not-serial", place{w.file, line}, "two runs of this workflow can deploy at the same time")
	}
	if at := w.line(afterOther); at > 0 && !conclusion.MatchString(w.text) {
		p.find("pipeline-after-failure", place{w.file, at}, "the workflow runs after another one, whether that succeeded or not")
	}
	if at := w.line(movingTag); at > 0 {
		p.find("pipeline-moving-tag", place{w.file, at}, "the image is pushed as latest")
	}
	if at := w.line(registered); at > 0 && described.MatchString(w.text) && !cleaned.MatchString(w.text) {
		p.find("pipeline-task-definition", place{w.file, at}, "the described task definition is registered as it is")
	}
	p.checkSteps(w)
	p.checkRepository(w)
}

// checkSteps looks for variables that scripts use and nothing sets.
func (p *project) checkSteps(w workflow) {
	for _, s := range w.steps {
		run := child(s, "run")
		if run == nil {
			continue
		}
		for _, m := range used.FindAllStringSubmatch(run.Value, -1) {
			name := m[1]
			sets := regexp.MustCompile(`(?m)(^|[\s"'{;,(])` + name + `\s*(=|:\s)`)
			if slices.Contains(ownVariables, name) || strings.HasPrefix(name, "GITHUB_") || sets.MatchString(w.text) ||
				strings.Contains(w.text, "read "+name) {
				continue
			}
			at := run.Line
			if i := strings.Index(run.Value, "$"); i >= 0 {
				if where := regexp.MustCompile(`\$\{?` + name + `\b`).FindStringIndex(w.text); where != nil {
					at = lineAt(w.text, where[0])
				}
			}
			p.find("pipeline-unset-variable", place{w.file, at}, "%s is used and never set", name)
			break
		}
	}
}

var (
	repositoryBlock = regexp.MustCompile(`(?s)resource\s+"aws_ecr_repository"\s+"\w+"\s*\{(.*?)\n\}`)
	nameOf          = regexp.MustCompile(`(?m)^\s*name\s*=\s*"([^"]+)"`)
	defaultsOf      = regexp.MustCompile(`(?s)variable\s+"(\w+)"\s*\{(.*?)\n\}`)
	defaultOf       = regexp.MustCompile(`(?m)^\s*default\s*=\s*"([^"]*)"`)
	variableIn      = regexp.MustCompile(`\$\{var\.(\w+)\}`)
)

// checkRepository compares the repository that a workflow pushes to with those that Terraform creates.
func (p *project) checkRepository(w workflow) {
	var created []string
	defaults := map[string]string{}
	var infra []string
	for _, f := range p.tree.files {
		if strings.HasSuffix(f, ".tf") {
			infra = append(infra, p.tree.text(f))
		}
	}
	all := strings.Join(infra, "\n")
	for _, m := range defaultsOf.FindAllStringSubmatch(all, -1) {
		if d := defaultOf.FindStringSubmatch(m[2]); d != nil {
			defaults[m[1]] = d[1]
		}
	}
	for _, m := range repositoryBlock.FindAllStringSubmatch(all, -1) {
		name := nameOf.FindStringSubmatch(m[1])
		if name == nil {
			return
		}
		full := variableIn.ReplaceAllStringFunc(name[1], func(v string) string { return defaults[variableIn.FindStringSubmatch(v)[1]] })
		if strings.Contains(full, "$") {
			return
		}
		created = append(created, full)
	}
	if len(created) == 0 {
		return
	}
	for _, m := range pushedTo.FindAllStringSubmatchIndex(w.text, -1) {
		if name := w.text[m[2]:m[3]]; !slices.Contains(created, name) {
			p.find("pipeline-repository", place{w.file, lineAt(w.text, m[2])}, "images are pushed to %s, and Terraform creates %s", name,
				listed(created))
			return
		}
	}
}

var (
	planFile     = regexp.MustCompile(`(?i)(^|/)(tfplan|.*\.tfplan|.*\.tfstate(\.backup)?)$`)
	passwordName = regexp.MustCompile(`(?i)password|passwd|secret`)
	endpointHost = regexp.MustCompile(`(?m)^\s*"?\w*(?:HOST|host)\w*"?\s*[=:]\s*aws_(?:db_instance|rds_cluster)\.\w+\.endpoint\b`)
)

// checkInfrastructure looks at Terraform.
func (p *project) checkInfrastructure() {
	for _, f := range p.tree.files {
		if planFile.MatchString(f) && !beside(f) {
			p.find("infra-plan-file", place{f, 0}, "the file is part of the project")
		}
		if !strings.HasSuffix(f, ".tf") {
			continue
		}
		text := p.tree.text(f)
		for _, m := range defaultsOf.FindAllStringSubmatchIndex(text, -1) {
			name, body := text[m[2]:m[3]], text[m[4]:m[5]]
			if d := defaultOf.FindStringSubmatch(body); d != nil && d[1] != "" && passwordName.MatchString(name) {
				p.find("infra-default-password", place{f, lineAt(text, m[0])}, "the variable %s has a default", name)
			}
		}
		if at := endpointHost.FindStringIndex(text); at != nil {
			line := lineAt(text, at[0]) + strings.Count(text[at[0]:at[1]], "\n")
			p.find("infra-endpoint", place{f, line}, "the host is set to an endpoint, host:port")
		}
	}
}
