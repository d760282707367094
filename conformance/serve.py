"""moto_plus.py, with what this site needs and neither it nor moto 5.2.1 serves. Run it as
serve.py FOLDER_OF_MOTO_PLUS -H 127.0.0.1 -p PORT. Each patch says what breaks without it."""

import json
import os
import random
import re
import sys
import time
from fnmatch import fnmatchcase
from inspect import signature

sys.path.insert(0, sys.argv.pop(1))

import moto_plus
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.monitoring import Monitoring
from moto.ecs.models import EC2ContainerServiceBackend as ECSBackend
from moto.ecs.models import Service, Task
from moto.ecs.responses import EC2ContainerServiceResponse as ECS
from moto.iam.access_control import PermissionResult
from moto.logs.models import logs_backends
from moto.rds.models import DBInstance, DBParameterGroup
from moto.s3.models import FakeBucket
from werkzeug.serving import WSGIRequestHandler


# Server access logs: moto wants the target's policy to name exactly the prefix or the whole bucket, S3 matches patterns.
def may_deliver(target_bucket, target_prefix):
    arn = f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}x"
    for statement in json.loads(target_bucket.policy or b'{"Statement": []}')["Statement"]:
        resources = statement["Resource"]
        if (
            statement["Effect"] == "Allow"
            and "logging.s3.amazonaws.com" in json.dumps(statement["Principal"])
            and "s3:PutObject" in statement["Action"]
            and any(fnmatchcase(arn, r) for r in (resources if isinstance(resources, list) else [resources]))
        ):
            return True
    return False


FakeBucket._log_permissions_enabled_policy = staticmethod(may_deliver)


# Which zone an account calls "a" is AWS's choice, so moto's zones have the ids of the model's: a to c are 1 to 3. One of them,
# use1-az3, has no machines for arm64 tasks, and both sides have to place tasks in the others.
for region, zones in RegionsAndZonesBackend.zones.items():
    for number, zone in enumerate(sorted(zones, key=lambda z: z.name), start=1):
        zone.zone_id = re.sub(r"az\d+$", f"az{number}", zone.zone_id)


# Detailed monitoring of an instance: the provider switches it after the start, moto answers 500.
def monitoring(state):
    def call(self):
        found = [self.ec2_backend.get_instance(i) for i in self._get_param("InstanceIds", [])]
        for instance in found:
            instance.monitoring_state = state
        return ActionResult({"InstanceMonitorings": [{"InstanceId": i.id, "Monitoring": i.monitoring} for i in found]})

    return call


Monitoring.monitor_instances = monitoring("enabled")
Monitoring.unmonitor_instances = monitoring("disabled")


# A service's tasks: moto starts none, and the provider waits for them. Here they run as soon as they are wanted.
def running(self, *args, before=Service.__init__, **kw):
    before(self, *args, **kw)
    self.running_count, self.pending_count = self.desired_count, 0
    for deployment in self.deployments:
        deployment.update(runningCount=self.desired_count, pendingCount=0, rolloutState="COMPLETED")


# What moto forgets of a new service (of an updated one it keeps everything): a diff each time.
def create_service(self, before=ECS.create_service):
    out = before(self)
    service = self.ecs_backend._get_service(self._get_param("cluster"), self._get_param("serviceName"))
    for name in (
        "capacityProviderStrategy", "deploymentConfiguration", "enableECSManagedTags", "enableExecuteCommand",
        "healthCheckGracePeriodSeconds",
    ):
        if self._get_param(name) is not None:
            setattr(service, camelcase_to_underscores(name), self._get_param(name))
    return out


Service.__init__ = running
ECS.create_service = create_service


# The description of a rule that names a security group or a prefix list: moto looks for it beside an address, and
# forgets it. A diff after a refresh.
def rule(self, *args, before=SecurityGroupRule.__init__, **kw):
    before(self, *args, **kw)
    given = signature(before).bind(self, *args, **kw).arguments
    others = [given.get(name) or {} for name in ("ip_range", "source_group", "prefix_list_id")]
    self.given_description = next((o["Description"] for o in others if "Description" in o), None)


SecurityGroupRule.__init__ = rule
SecurityGroupRule.description = property(lambda self: self.ip_range.get("Description") or self.given_description)

# An instance without a public address: moto's empty association reads as if it had one, and the provider replaces it.
NetworkInterface.association = property(
    lambda self, before=NetworkInterface.association.fget: before(self) if self.public_ip else None
)


# An instance's security groups, when they were given with its network interface: a diff after a refresh.
def prep_nics(self, *args, before=Instance.prep_nics, **kw):
    before(self, *args, **kw)
    self.security_groups = self.security_groups or self.nics[0].group_set


Instance.prep_nics = prep_nics


# What a database is watched with: a diff each time.
def watched(self, *args, before=DBInstance.__init__, enable_performance_insights=None, **kw):
    before(self, *args, **kw)
    self.performance_insights_enabled = enable_performance_insights
    for name in (
        "monitoring_interval", "monitoring_role_arn", "performance_insights_kms_key_id", "performance_insights_retention_period",
    ):
        setattr(self, name, kw.get(name))
    # AWS's default since 2024. moto's is none that exists, and the provider spends a minute and a half on changing it.
    if self.ca_certificate_identifier == "rds-ca-default":
        self.ca_certificate_identifier = "rds-ca-rsa2048-g1"


DBInstance.__init__ = watched


# Who set a database's parameter: the provider takes one without a source for a default, a diff after a refresh.
def update_parameters(self, new_parameters, before=DBParameterGroup.update_parameters):
    before(self, [{**p, "Source": "user"} for p in new_parameters])


DBParameterGroup.update_parameters = update_parameters


# The words in the file that a variable of this process names; none where there is no such file.
def told(variable):
    path = os.environ.get(variable, "")
    return open(path).read().split() if path and os.path.exists(path) else []


# A service that is updated: moto's deployment stays the one before, and a verdict takes it for rolled back. Here it is a new
# one, whose tasks run; or, where the file of SERVE_ROLLS_BACK is, ECS's circuit breaker goes back to the one before.
def update_service(self, properties, before=ECSBackend.update_service):
    service = self._get_service(properties.get("cluster", "default"), properties["service"].split("/")[-1])
    was = service.task_definition
    service = before(self, properties)
    service.task_definition = self.describe_task_definition(service.task_definition).arn
    if service.task_definition != was and service.deployments:
        now, name = utcnow(), f"ecs-svc/{random.randrange(10**19):019d}"
        if told("SERVE_ROLLS_BACK"):
            service.task_definition = was
            service.events.insert(0, {
                "id": name, "createdAt": now,
                "message": f"(service {service.name}) (deployment {name}) deployment failed: tasks failed to start.",
            })
        else:
            service.deployments[0].update(id=name, taskDefinition=service.task_definition, createdAt=now, updatedAt=now)
    for deployment in service.deployments:
        deployment.update(desiredCount=service.desired_count, runningCount=service.desired_count, pendingCount=0)
    return service


ECSBackend.update_service = update_service


# What a task on Fargate needs of a machine: moto adds up the containers' memory, and answers 500 where only the task says it.
ECSBackend._calculate_task_resource_requirements = staticmethod(
    lambda definition: {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
)


# A task that is run by itself, such as a migration: moto runs nothing, and leaves the task's network interface behind, which
# holds the subnet. Here it ends at once and says so in its log: with exit code 0, or with the one that the file of
# SERVE_TASK_ENDS_WITH says before the name of the cluster.
def run(self, cluster, task_definition, *args, before=Task.__init__, **kw):
    before(self, cluster, task_definition, *args, **kw)
    code, of = (told("SERVE_TASK_ENDS_WITH") + ["0", ""])[:2]
    code = int(code) if of == cluster.name else 0
    self.last_status = self.desired_status = "STOPPED"
    self.stopped_reason = "Essential container in task exited"
    logs = logs_backends[self._account_id][self.region_name]
    for container, declared in zip(self.containers, task_definition.container_definitions):
        container.last_status, container.exitCode = "STOPPED", code
        container.cpu = str(container.cpu)  # moto's is a number, which the SDK of Go refuses
        container.memory = container.memory and str(container.memory)
        to = (declared.get("logConfiguration") or {}).get("options") or {}
        if to.get("awslogs-group"):
            stream = f"{to['awslogs-stream-prefix']}/{container.name}/{self.id}"
            logs.create_log_stream(to["awslogs-group"], stream)
            logs.put_log_events(
                to["awslogs-group"], stream, [{"timestamp": int(time.time() * 1000), "message": f"served: exit code {code}"}]
            )
    for attachment in self.attachments:
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                ec2_backends[self._account_id][self.region_name].delete_network_interface(detail["value"])


Task.__init__ = run

# The policy of a bucket that denies what comes without TLS: moto reads no conditions, and denies everything, so that the
# bucket of the state could not be read.
FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL

# An answer leaves in one piece. When its head arrives, smithy-go closes the request's body, and net/http, if it has not looked
# for that body's end by then, takes this for a failure to send and closes the connection: what has not arrived is lost, with
# "use of closed network connection". AWS is never that quick. Werkzeug's own way is the head first, and then the rest.
WSGIRequestHandler.wbufsize = 1 << 20

if __name__ == "__main__":
    moto_plus.main(sys.argv[1:])
