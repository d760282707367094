// Answers cases in the form of iam.Case, one JSON object a line, with the decisions of @cloud-copilot/iam-simulate.
// NODE_PATH does not reach ES modules: the package is found beside the working directory.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const find = createRequire(process.cwd() + '/')
const { anonymousPrincipal, runSimulation } = await import(pathToFileURL(find.resolve('@cloud-copilot/iam-simulate')))

const named = (policies, name) => policies?.map((policy, i) => ({ name: `${name}[${i}]`, policy }))
const levels = all => (all ?? []).map(l => ({ orgIdentifier: l.orgIdentifier, policies: named(l.policies, 'policy') }))

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line)
  let decision, ignored
  try {
    const result = await runSimulation({
      request: {
        principal: c.request.principal.type === 'Anonymous' ? anonymousPrincipal : c.request.principal,
        action: c.request.action,
        resource: c.request.resource,
        contextVariables: c.request.context ?? {},
      },
      identityPolicies: named(c.identityPolicies, 'identity') ?? [],
      resourcePolicy: c.resourcePolicy,
      permissionBoundaryPolicies: named(c.permissionBoundaries, 'boundary'),
      sessionPolicy: c.sessionPolicy,
      serviceControlPolicies: levels(c.serviceControlPolicies),
      resourceControlPolicies: levels(c.resourceControlPolicies),
      vpcEndpointPolicies: named(c.endpointPolicies, 'endpoint'),
    }, {})
    if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors))
    decision = result.overallResult
    ignored = (result.result ?? result.results?.[0])?.ignoredContextKeys
  } catch (error) {
    decision = 'error: ' + error.message
  }
  console.log(JSON.stringify({ id: c.id, decision, ignored }))
}
