package cloud

import (
	"strings"
	"testing"
	"time"

	"slipway/rehearsal/iam"
)

func TestPatternsMatchAsInIAM(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"*", "", true}, {"*", "s3:GetObject", true}, {"s3:Get*", "s3:GetObject", true}, {"s3:Get*", "s3:PutObject", false},
		{"s3:*Object", "s3:GetObject", true}, {"s3:*Object", "s3:GetObjectAcl", false}, {"s3:?etObject", "s3:GetObject", true},
		{"s3:?etObject", "s3:etObject", false}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false}, {"", "", true},
		{"", "x", false}, {"a**", "a", true},
		{"arn:aws:s3:::site/*", "arn:aws:s3:::site/", true}, {"arn:aws:s3:::site/*", "arn:aws:s3:::site", false},
	} {
		if got := iam.Glob(c.pattern, c.value); got != c.want {
			t.Errorf("%q and %q: expected %v, got %v", c.pattern, c.value, c.want, got)
		}
	}
}

// Patterns with many stars are matched quickly.
func TestAPatternOfManyStarsIsQuick(t *testing.T) {
	start := time.Now()
	if iam.Glob(strings.Repeat("*a", 200)+"b", strings.Repeat("a", 2000)) {
		t.Error("there is no b")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzReadDocument(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":{"AWS":"*"},` +
		`"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	f.Add(`{"Statement":{}}`)
	f.Add(`[1,{"a":{"a":1}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []documentKind{identityDocument, trustDocument, bucketDocument} {
			statements, wrong := readDocument(text, kind)
			if len(statements) == 0 && len(wrong) == 0 {
				t.Errorf("%q is accepted, but has no statements", text)
			}
		}
	})
}

func FuzzSchedule(f *testing.F) {
	f.Add("cron(0 3 * * ? *)")
	f.Add("rate(5 minutes)")
	f.Add("at(2030-01-01T00:00:00)")
	f.Fuzz(func(t *testing.T, text string) {
		if fault := scheduleFault(text, "at", "rate", "cron"); fault == "" && !strings.HasSuffix(text, ")") {
			t.Errorf("%q is not a schedule", text)
		}
	})
}
