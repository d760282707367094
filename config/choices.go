package config

import (
	"fmt"
	"slices"
	"strings"

	"slipway/internal/catalog"
)

// choices is the tag of what a key allows. @retentions stands for the numbers of days that CloudWatch Logs offers.
func choices(tag string) string {
	if tag != "@retentions" {
		return tag
	}
	return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(catalog.Retentions), "[]")), "|")
}

// Regions are the regions of AWS.
func Regions() []string { return slices.Clone(regions) }
