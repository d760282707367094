"""Runs moto_plus.py with patches for what this site needs and moto 5.2.1 does not support. Usage:
serve.py FOLDER_OF_MOTO_PLUS -H 127.0.0.1 -p PORT. The comment of each patch says what breaks without it."""

import hashlib
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
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.monitoring import Monitoring
from moto.ecs.models import EC2ContainerServiceBackend as ECSBackend
from moto.ecs.models import Service, Task, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse as ECS
from moto.elasticache.exceptions import CacheSubnetGroupNotFound, ReplicationGroupNotFound, SnapshotAlreadyExists
from moto.elasticache.models import CacheCluster, ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse
from moto.elbv2.responses import ELBV2Response
from moto.iam.access_control import PermissionResult
from moto.logs.models import logs_backends
from moto.rds.models import DBInstance, DBParameterGroup
from moto.s3.models import FakeBucket
from werkzeug.serving import WSGIRequestHandler


# Server access logs: moto requires the target's policy to name exactly the prefix or the whole bucket; S3 matches patterns.
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


# Detailed monitoring: the provider sets it after it starts an instance, and moto returns 500.
def monitoring(state):
    def call(self):
        found = [self.ec2_backend.get_instance(i) for i in self._get_param("InstanceIds", [])]
        for instance in found:
            instance.monitoring_state = state
        return ActionResult({"InstanceMonitorings": [{"InstanceId": i.id, "Monitoring": i.monitoring} for i in found]})

    return call


Monitoring.monitor_instances = monitoring("enabled")
Monitoring.unmonitor_instances = monitoring("disabled")


# Tasks of a service: moto starts none, and the provider waits for them. Here they run immediately.
def running(self, *args, before=Service.__init__, **kw):
    before(self, *args, **kw)
    self.running_count, self.pending_count = self.desired_count, 0
    for deployment in self.deployments:
        deployment.update(runningCount=self.desired_count, pendingCount=0, rolloutState="COMPLETED")


# Properties that moto drops from a new service (but not from an updated one): a diff each time.
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


# The description of a rule for a security group or a prefix list: moto only reads it for addresses. A diff after a refresh.
def rule(self, *args, before=SecurityGroupRule.__init__, **kw):
    before(self, *args, **kw)
    given = signature(before).bind(self, *args, **kw).arguments
    others = [given.get(name) or {} for name in ("ip_range", "source_group", "prefix_list_id")]
    self.given_description = next((o["Description"] for o in others if "Description" in o), None)


SecurityGroupRule.__init__ = rule
SecurityGroupRule.description = property(lambda self: self.ip_range.get("Description") or self.given_description)

# An instance without a public address: moto returns an empty association, as if there were one, and the provider replaces it.
NetworkInterface.association = property(
    lambda self, before=NetworkInterface.association.fget: before(self) if self.public_ip else None
)


# Security groups of an instance that are set on its network interface: a diff after a refresh.
def prep_nics(self, *args, before=Instance.prep_nics, **kw):
    before(self, *args, **kw)
    self.security_groups = self.security_groups or self.nics[0].group_set


Instance.prep_nics = prep_nics


# Monitoring settings of a database: a diff each time.
def watched(self, *args, before=DBInstance.__init__, enable_performance_insights=None, **kw):
    before(self, *args, **kw)
    self.performance_insights_enabled = enable_performance_insights
    for name in (
        "monitoring_interval", "monitoring_role_arn", "performance_insights_kms_key_id", "performance_insights_retention_period",
    ):
        setattr(self, name, kw.get(name))
    # AWS's default since 2024. moto's default does not exist, and the provider takes 90 seconds to change it.
    if self.ca_certificate_identifier == "rds-ca-default":
        self.ca_certificate_identifier = "rds-ca-rsa2048-g1"


DBInstance.__init__ = watched


# The source of a database parameter: the provider treats one without a source as a default. A diff after a refresh.
def update_parameters(self, new_parameters, before=DBParameterGroup.update_parameters):
    before(self, [{**p, "Source": "user"} for p in new_parameters])


DBParameterGroup.update_parameters = update_parameters


# The lines, or the words, in the file that an environment variable names; none if the file does not exist.
def lines_in(variable):
    path = os.environ.get(variable, "")
    return open(path).read().splitlines() if path and os.path.exists(path) else []


def words_in(variable):
    return " ".join(lines_in(variable)).split()


# An updated service: moto keeps the previous deployment, which the verdict reports as rolled back. Here there is a new one, whose
# tasks run; if the file of SERVE_ROLLS_BACK exists, ECS's circuit breaker rolls back to the previous one instead.
def update_service(self, properties, before=ECSBackend.update_service):
    service = self._get_service(properties.get("cluster", "default"), properties["service"].split("/")[-1])
    was = service.task_definition
    service = before(self, properties)
    service.task_definition = self.describe_task_definition(service.task_definition).arn
    if service.task_definition != was and service.deployments:
        now, name = utcnow(), f"ecs-svc/{random.randrange(10**19):019d}"
        if words_in("SERVE_ROLLS_BACK"):
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


# Resources of a Fargate task: moto adds up the containers' memory, and returns 500 if only the task defines it.
ECSBackend._calculate_task_resource_requirements = staticmethod(
    lambda definition: {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
)


# A standalone task, such as a migration: moto runs nothing and leaves the task's network interface, which blocks the subnet's
# deletion. Here the task stops immediately and writes a log line, or those of the file of SERVE_TASK_WRITES. Its exit code is 0, or the
# one that the file of SERVE_TASK_ENDS_WITH contains, followed by the name of the cluster.
def run(self, cluster, task_definition, *args, before=Task.__init__, **kw):
    before(self, cluster, task_definition, *args, **kw)
    code, of = (words_in("SERVE_TASK_ENDS_WITH") + ["0", ""])[:2]
    code = int(code) if of == cluster.name else 0
    self.last_status = self.desired_status = "STOPPED"
    self.created_at = self.started_at = self.stopped_at = utcnow()
    self.stopped_reason = "Essential container in task exited"
    logs = logs_backends[self._account_id][self.region_name]
    for container, declared in zip(self.containers, task_definition.container_definitions):
        container.last_status, container.exitCode = "STOPPED", code
        container.cpu = str(container.cpu)  # moto's is a number, which the Go SDK rejects
        container.memory = container.memory and str(container.memory)
        to = (declared.get("logConfiguration") or {}).get("options") or {}
        if to.get("awslogs-group"):
            stream = f"{to['awslogs-stream-prefix']}/{container.name}/{self.id}"
            logs.create_log_stream(to["awslogs-group"], stream)
            now = int(time.time() * 1000)
            lines = lines_in("SERVE_TASK_WRITES") or [f"served: exit code {code}"]
            logs.put_log_events(to["awslogs-group"], stream, [{"timestamp": now, "message": line} for line in lines])
    for attachment in self.attachments:
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                ec2_backends[self._account_id][self.region_name].delete_network_interface(detail["value"])


Task.__init__ = run


# The tasks of services: moto counts them, but lists none, and the load balancer has no targets. Here each running task is listed with its
# containers and is a healthy target.
class ServiceTask:
    def __init__(self, backend, service, number):
        started = service.deployments[0]["createdAt"]
        self.id = hashlib.md5(f"{service.name} {service.deployments[0]['id']} {number}".encode()).hexdigest()
        self.task_arn = f"arn:aws:ecs:{service.region_name}:{service._account_id}:task/{service.cluster_name}/{self.id}"
        self.cluster_arn, self.task_definition_arn, self.group = service.cluster_arn, service.task_definition, f"service:{service.name}"
        self.last_status = self.desired_status = "RUNNING"
        self.health_status, self.started_at, self.created_at = "HEALTHY", started, started
        self.enable_execute_command = getattr(service, "enable_execute_command", False)
        self.address = f"10.0.0.{number + 10}"
        self.containers = [
            {
                "name": c["name"], "image": c["image"], "lastStatus": "RUNNING", "healthStatus": "HEALTHY",
                "runtimeId": f"{self.id}-{index:010d}", "managedAgents": [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}],
            }
            for index, c in enumerate(backend.describe_task_definition(service.task_definition).container_definitions)
        ]


def service_tasks(backend, cluster, name=None):
    found = [s for s in backend.services.values() if s.cluster_arn == cluster.arn and name in (None, s.name)]
    return [ServiceTask(backend, s, number) for s in found for number in range(s.running_count)]


def list_tasks(self, cluster_str=None, *args, before=ECSBackend.list_tasks, **kw):
    given = signature(before).bind(self, cluster_str, *args, **kw).arguments
    name, status = given.get("service_name"), given.get("desiredStatus")
    name = name and name.split("/")[-1]
    tasks = [] if name else before(self, cluster_str, *args, **kw)
    return tasks + (service_tasks(self, self._get_cluster(cluster_str), name) if status in (None, "RUNNING") else [])


def describe_tasks(self, cluster_str, tasks, before=ECSBackend.describe_tasks):
    ids = [t.split("/")[-1] for t in tasks]
    return before(self, cluster_str, tasks) + [t for t in service_tasks(self, self._get_cluster(cluster_str)) if t.id in ids]


def describe_target_health(self):
    group = self._get_param("TargetGroupArn")
    backend = ecs_backends[self.current_account][self.region]
    targets = [
        {"Target": {"Id": task.address, "Port": to["containerPort"]}, "TargetHealth": {"State": "healthy"}}
        for service in backend.services.values()
        for to in service.load_balancers
        if to.get("targetGroupArn") == group
        for task in service_tasks(backend, backend._get_cluster(service.cluster_name), service.name)
    ]
    return ActionResult({"TargetHealthDescriptions": targets})


ECSBackend.list_tasks = list_tasks
ECSBackend.describe_tasks = describe_tasks
ELBV2Response.describe_target_health = describe_target_health

# The nodes of a cache: moto lists them and knows none, and the provider reads version, groups and windows from the first.
def cache_nodes(backend, group):
    for old in [c for c in backend.cache_clusters if re.fullmatch(re.escape(group.replication_group_id) + r"-\d{3}", c)]:
        del backend.cache_clusters[old]
    for name in group.member_clusters:
        node = CacheCluster(
            backend.account_id, backend.region_name, name, group.cache_node_type, group.replication_group_id,
            **dict.fromkeys(list(signature(CacheCluster).parameters)[5:]),
        )
        node.engine, node.engine_version, node.port = group.engine, f"{group.engine_version}.0", group.port
        node.num_cache_nodes, node.replication_group_id = 1, group.replication_group_id
        node.cache_subnet_group_name = group.cache_subnet_group_name
        node.cache_parameter_group = {
            "cache_parameter_group_name": group.cache_parameter_group_name
            or f"default.{group.engine}{group.engine_version.split('.')[0]}",
            "parameter_apply_status": "in-sync",
        }
        node.security_groups = [{"security_group_id": g, "status": "active"} for g in group.security_group_ids or []]
        node.preferred_maintenance_window = group.preferred_maintenance_window or "sun:05:00-sun:06:00"
        node.snapshot_retention_limit, node.snapshot_window = group.snapshot_retention_limit, group.snapshot_window
        node.auto_minor_version_upgrade = str(group.auto_minor_version_upgrade).lower() == "true"
        node.at_rest_encryption_enabled = group.at_rest_encryption_enabled
        node.transit_encryption_enabled = group.transit_encryption_enabled
        node.auth_token_enabled = group.auth_token_enabled
        backend.cache_clusters[name] = node


# moto has one node in a group whatever is asked for, and no endpoint for readers.
def set_members(group, count):
    group.member_clusters = [f"{group.replication_group_id}-{n:03}" for n in range(1, count + 1)]
    nodes = group.node_groups[0]
    nodes["node_group_members"] = [
        {**nodes["node_group_members"][0], "cache_cluster_id": name, "current_role": "replica" if n else "primary"}
        for n, name in enumerate(group.member_clusters)
    ]
    nodes["reader_endpoint"] = {"address": nodes["reader_endpoint_address"], "port": group.port}


def create_replication_group(self, *args, before=ElastiCacheBackend.create_replication_group, **kw):
    group = before(self, *args, **kw)
    group.snapshot_window = kw.get("snapshot_window") or "03:00-04:00"  # moto's own has a form that AWS does not take
    if group.transit_encryption_enabled:
        group.transit_encryption_mode = group.transit_encryption_mode or "required"
    set_members(group, kw.get("num_cache_clusters") or 1)
    cache_nodes(self, group)
    return group


# Changing a cache, and deleting it with its final snapshot: moto has no change, and never ends a deletion.
def changed_replication_group(self):
    backend, name = self.elasticache_backend, self._get_param("ReplicationGroupId")
    if name not in backend.replication_groups:
        raise ReplicationGroupNotFound(name)
    return backend, backend.replication_groups[name]


def modify_replication_group(self):
    backend, group = changed_replication_group(self)
    for parameter, attribute in {
        "CacheNodeType": "cache_node_type", "CacheParameterGroupName": "cache_parameter_group_name", "Engine": "engine",
        "EngineVersion": "engine_version", "PreferredMaintenanceWindow": "preferred_maintenance_window",
        "ReplicationGroupDescription": "description", "SecurityGroupIds": "security_group_ids", "SnapshotWindow": "snapshot_window",
        "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    }.items():
        if self._get_param(parameter) is not None:
            setattr(group, attribute, self._get_param(parameter))
    for parameter, attribute in {"AutomaticFailoverEnabled": "automatic_failover", "MultiAZEnabled": "multi_az"}.items():
        if self._get_bool_param(parameter) is not None:
            setattr(group, attribute, "enabled" if self._get_bool_param(parameter) else "disabled")
    if self._get_int_param("SnapshotRetentionLimit") is not None:
        group.snapshot_retention_limit = self._get_int_param("SnapshotRetentionLimit")
    cache_nodes(backend, group)
    return ActionResult({"ReplicationGroup": group})


def change_replica_count(self):
    backend, group = changed_replication_group(self)
    set_members(group, self._get_int_param("NewReplicaCount") + 1)
    cache_nodes(backend, group)
    return ActionResult({"ReplicationGroup": group})


def delete_replication_group(self):
    backend, group = changed_replication_group(self)
    snapshot = self._get_param("FinalSnapshotIdentifier")
    if snapshot in backend.snapshots:
        raise SnapshotAlreadyExists(snapshot)
    if snapshot:
        backend.create_snapshot(snapshot, group.replication_group_id, None, group.kms_key_id, [])
    group.status, group.member_clusters = "deleting", []
    cache_nodes(backend, group)
    del backend.replication_groups[group.replication_group_id]
    return ActionResult({"ReplicationGroup": group})


def delete_cache_subnet_group(self):
    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    if name not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(name)
    del backend.cache_subnet_groups[name]
    return EmptyResult()


ElastiCacheBackend.create_replication_group = create_replication_group
ElastiCacheResponse.modify_replication_group = modify_replication_group
ElastiCacheResponse.increase_replica_count = change_replica_count
ElastiCacheResponse.decrease_replica_count = change_replica_count
ElastiCacheResponse.delete_replication_group = delete_replication_group
ElastiCacheResponse.delete_cache_subnet_group = delete_cache_subnet_group


# A bucket policy that denies requests without TLS: moto ignores conditions and denies everything, so the state bucket would be
# unreadable.
FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL

# Send each response in one write. When the header arrives, smithy-go closes the request's body. If net/http has not seen the end of
# that body by then, it treats this as a send failure and closes the connection, and the rest of the response is lost with "use of
# closed network connection". AWS is never that fast. By default Werkzeug sends the header first and then the rest.
WSGIRequestHandler.wbufsize = 1 << 20

if __name__ == "__main__":
    moto_plus.main(sys.argv[1:])
