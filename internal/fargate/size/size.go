// Package size lists the task sizes of Fargate. It imports nothing of ours, so that the configuration can check a size
// without a component.
package size

import (
	"fmt"
	"strings"
)

// CPUs are the CPU units that Fargate offers for a Linux task; 1024 units are one vCPU.
var CPUs = []int{256, 512, 1024, 2048, 4096, 8192, 16384}

// Memories are the memory sizes in MiB that Fargate offers for cpu units; nil if it does not offer that CPU.
// Source: Amazon ECS Developer Guide, Fargate task definition parameters, Task CPU and memory.
func Memories(cpu int) []int {
	switch cpu {
	case 256:
		return []int{512, 1024, 2048}
	case 512:
		return steps(1024, 4096, 1024)
	case 1024:
		return steps(2048, 8192, 1024)
	case 2048:
		return steps(4096, 16384, 1024)
	case 4096:
		return steps(8192, 30720, 1024)
	case 8192:
		return steps(16384, 61440, 4096)
	case 16384:
		return steps(32768, 122880, 8192)
	}
	return nil
}

// Check returns an error with the allowed values if Fargate has no task of cpu units and memory MiB.
func Check(cpu, memory int) error {
	memories := Memories(cpu)
	if memories == nil {
		return fmt.Errorf("cpu must be one of %s, got %d", words(CPUs), cpu)
	}
	for _, m := range memories {
		if m == memory {
			return nil
		}
	}
	return fmt.Errorf("memory for cpu %d must be one of %s, got %d", cpu, words(memories), memory)
}

func steps(from, to, by int) []int {
	var all []int
	for m := from; m <= to; m += by {
		all = append(all, m)
	}
	return all
}

func words(all []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(all), "[]"), " ", ", ")
}
