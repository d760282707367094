package cloud

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// draw derives n hexadecimal digits from parts, in place of random ones from AWS. The same parts give the same digits, so that an
// object's values stay the same when it is read or updated.
func draw(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:n]
}

// drawLetters is draw in capital letters and digits, as Route 53 zones and RDS resource ids have them.
func drawLetters(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base32.StdEncoding.EncodeToString(sum[:])[:n]
}

// drawDigits is draw in decimal digits.
func drawDigits(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	var b strings.Builder
	for i := range n {
		b.WriteByte('0' + sum[i%len(sum)]%10)
	}
	return b.String()
}

// drawUUID is draw in the form of a UUID of version 4.
func drawUUID(parts ...string) string {
	h := draw(32, parts...)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// newID returns a new object an id of 17 hexadecimal digits after the prefix, as EC2 does.
func newID(a *Account, o *Object, prefix string) {
	if o.ID == "" {
		prefix = strings.TrimSuffix(prefix, "0")
		o.ID = prefix + "0" + draw(16, fresh(a, o)...)
	}
}

// fresh are the parts for a new object's id. They differ for every object, even for the same resource created again.
func fresh(a *Account, o *Object) []string {
	return []string{a.AccountID, a.Region, o.Type, o.URN, strconv.Itoa(a.next), strconv.FormatInt(a.now().UnixNano(), 10)}
}

// crc is the checksum that the provider uses to shorten ids.
func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }

// kept is an output that AWS chooses at creation and that updates do not change.
func kept(a *Account, o *Object, name string, make func() any) any {
	if was := a.was(o); was != nil && was.Outputs[name] != nil {
		return was.Outputs[name]
	}
	return make()
}

// stamp is the current time in AWS's format.
func stamp(a *Account) string { return a.now().UTC().Format(time.RFC3339) }
