package adapter

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// The bundle has what an app needs to trust a database, and nothing else.
func TestCertificatesOfRDS(t *testing.T) {
	regions, rest, lines := map[string]int{}, []byte(bundle), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		lines++
		name := c.Subject.CommonName
		region, key, ok := strings.Cut(strings.TrimPrefix(name, "Amazon RDS "), " Root CA ")
		if !ok || !regionForm.MatchString(region) || strings.Join(c.Subject.Organization, "") != "Amazon Web Services, Inc." {
			t.Errorf("%s is not a root of RDS", c.Subject)
		}
		if err := c.CheckSignatureFrom(c); err != nil || !c.IsCA || c.Subject.String() != c.Issuer.String() {
			t.Errorf("%s is not self-signed: %v", name, err)
		}
		if left := time.Until(c.NotAfter); left < 10*365*24*time.Hour {
			t.Errorf("%s expires in %s: look whether AWS has a new one", name, left)
		}
		if !strings.Contains(bundle, "# "+name+", until "+c.NotAfter.Format(time.DateOnly)+"\n") {
			t.Errorf("%s has no line that says so", name)
		}
		regions[region]++
		if key != "RSA2048 G1" && key != "RSA4096 G1" && key != "ECC384 G1" {
			t.Errorf("%s has another key than RDS offers", name)
		}
	}
	if strings.TrimSpace(string(rest)) != "" || lines != strings.Count(bundle, "BEGIN CERTIFICATE") {
		t.Error("the bundle has something else than certificates")
	}
	for region, n := range regions {
		if n != 3 {
			t.Errorf("%s has %d roots, want one for each of the three authorities", region, n)
		}
	}
	for _, region := range []string{"us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "sa-east-1"} {
		if regions[region] == 0 {
			t.Errorf("%s is missing", region)
		}
	}
}
