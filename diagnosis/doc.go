// Package diagnosis orders what is wrong with a site: the likely cause first, its consequences below it.
//
// A view of the site, from outside through AWS's API or from inside as a task, reports findings. A rule for each kind of finding says
// how near it is to the root, why, which other findings it explains, and what to do next. The package reads nothing itself.
package diagnosis
