package operation_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"slipway/operation"
)

// TestAMistakeDoesNotHideTheFolder checks the folder that Pulumi.yaml names, although the configuration has a mistake elsewhere.
func TestAMistakeDoesNotHideTheFolder(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"Pulumi.yaml":       "name: shop\nruntime: go\nconfig:\n  shop:app:\n    type: object\n    default: {path: backend, port: 80}\n",
		"Pulumi.local.yaml": "config:\n  aws:region: us-east-1\n  shop:app: {nginx: {timeout: 30}}\n",
		"backend/manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	report, err := operation.Check(context.Background(), operation.Target{Root: root, Stack: operation.DefaultStack}, "")
	if report == nil || err == nil {
		t.Fatalf("the report is %v, the error %v", report, err)
	}
	if report.Path != filepath.Join(root, "backend") && report.Path != "backend" {
		t.Errorf("checked %s", report.Path)
	}
}

// TestTheWorkersOfTheStackAreChecked checks what the stack's file says about workers.
func TestTheWorkersOfTheStackAreChecked(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"Pulumi.yaml": "name: shop\nruntime: go\nconfig:\n  shop:app:\n    type: object\n    default: {path: .}\n",
		"Pulumi.local.yaml": "config:\n  aws:region: us-east-1\n  shop:workers:\n    - {name: mail, command: [celery, -A, shop, worker]}\n" +
			"    - {name: beat, command: [celery, -A, shop, beat, -s, /tmp/beat], count: 2}\n",
		"manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	report, err := operation.Check(context.Background(), operation.Target{Root: root, Stack: operation.DefaultStack}, "")
	if report == nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Check == "beat-not-single" && f.File == "Pulumi.local.yaml" && f.Line == 5 {
			return
		}
	}
	t.Errorf("two tasks of beat are not found: %+v", report.Findings)
}
