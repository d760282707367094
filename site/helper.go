package site

import "slipway/adapter"

// Helper makes Slipway's program in the images for a platform, such as linux/arm64, and returns its path.
func Helper(platform string) (string, error) { return adapter.Helper(platform) }
