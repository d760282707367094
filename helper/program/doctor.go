package main

import "flag"

func doctor(i *invocation, flags *flag.FlagSet, args []string) error { return nil }
