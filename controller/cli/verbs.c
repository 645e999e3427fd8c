/* The table of verbs, and how one is found and explained: see verb.h. */
#include <errno.h>
#include <string.h>

#include "controller/cli/table.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"
#include "proto/base/guess.h"

#define NODES "NODE... | -l LABELS"
#define ON_NODES (TAKES(SELECTOR) | TAKES(REASON))
#define SIMULATE                                                                                   \
    (TAKES(FILENAME) | TAKES(HISTORY) | TAKES(NODES) | TAKES(SIZE) | TAKES(WATTS) | TAKES(PRICE) | \
     TAKES(CARBON) | TAKES(BOOT) | TAKES(SHUTDOWN) | TAKES(LOAD) | TAKES(BOOT_FAILURES) |          \
     TAKES(METER_NOISE) | TAKES(SEED) | TAKES(PROMETHEUS) | TAKES(USER) | TAKES(PRESET) |          \
     TAKES(QUERY) | TAKES(LABEL) | TAKES(START) | TAKES(END) | TAKES(STEP) | TAKES(RESOLUTION) |   \
     TAKES(SET) | TAKES(COMPARE) | TAKES(FORMAT_PAGE) | TAKES(OUTPUT_FILE))
#define ON_CLUSTER                                                               \
    (TAKES(OUTPUT_ONE) | TAKES(KUBECONFIG) | TAKES(CONTEXT) | TAKES(NAMESPACE) | \
     TAKES(ALL_NAMESPACES))
#define ON_NODES_LONG (ON_NODES | TAKES(WAIT) | TAKES(TIMEOUT))

static const struct verb VERBS[] = {
    { "get", "Looking", "KIND[,KIND...] [NAME...] | KIND/NAME...", "list objects",
      "Shows objects of any kind: servedmodels, powerpools, powerpolicies (what people declare), "
      "nodes, nodepowers, replicas, plans, events, journal, clusters (what huddle knows). Kinds "
      "may be shortened: no, model, pool, policy, np, rep, ev.",
      "# all nodes, with what they draw\n"
      "huddlectl get nodes\n"
      "# one model as YAML, with its state\n"
      "huddlectl get model small -o yaml\n"
      "# follow the nodes of a rack\n"
      "huddlectl get nodes -l rack=a -w\n",
      TAKES(OUTPUT) | TAKES(WATCH) | TAKES(SELECTOR) | TAKES(NO_HEADERS), 1, -1, "kinds",
      verb_get },
    { "describe", "Looking", "KIND [NAME...] | KIND/NAME...", "show one object in full",
      "Fields, conditions, the replicas or nodes that belong to it, and its newest events.",
      "huddlectl describe node n3\n"
      "huddlectl describe model/small pool/rack\n",
      TAKES(SELECTOR), 1, -1, "kinds", verb_describe },
    { "top", "Looking", "nodes | models | replicas", "show who draws how much",
      "Watts now and joules so far, the largest first. A replica has no meter: its joules are its "
      "share of what its node measured, its watts their mean since it began.",
      "huddlectl top nodes\n"
      "huddlectl top models --watch\n",
      TAKES(OUTPUT) | TAKES(WATCH) | TAKES(SELECTOR) | TAKES(NO_HEADERS), 1, 1,
      "nodes models replicas", verb_top },
    { "events", "Looking", "", "show what happened", "The oldest first.",
      "huddlectl events --since 1h\n"
      "# warnings about one node, as they happen\n"
      "huddlectl events --for node/n3 --type Warning --watch\n",
      TAKES(OUTPUT) | TAKES(WATCH) | TAKES(FOR) | TAKES(TYPE) | TAKES(SINCE) | TAKES(NO_HEADERS), 0,
      0, NULL, verb_events },
    { "plan", "Understanding", "", "show what huddle means to do",
      "The plan in force: nodes to sleep and to wake, replicas to start, what it saves, and the "
      "lower bound that no plan can beat.",
      "huddlectl plan\n"
      "huddlectl plan -o json\n",
      TAKES(OUTPUT_ONE), 0, 0, NULL, verb_plan },
    { "explain", "Understanding", "node|replica|model NAME... | KIND.FIELD",
      "say why things are as they are",
      "Why a node is awake or asleep, or not asleep; why a replica is where it is; why a model has "
      "so many; and the joules at stake. With a field, as `kubectl explain`: what it means, its "
      "type and its default.",
      "# why is this node awake, or not asleep?\n"
      "huddlectl explain node n3\n"
      "huddlectl explain model small -o json\n"
      "# what may I declare?\n"
      "huddlectl explain powerpool\n"
      "huddlectl explain servedmodel.spec.slo\n",
      TAKES(OUTPUT_ONE), 1, -1, "kinds", verb_explain },
    { "report", "Understanding", "", "energy used, saved and by whom",
      "For any window of time, by default the last 24 hours. The page (-o html) stands for itself: "
      "plots, provenance and error band are in it, it loads nothing.",
      "huddlectl report --since 7d\n"
      "huddlectl report --from 2026-11-01 --to 2026-12-01 -o csv --output november.csv\n"
      "huddlectl report --output report.html\n",
      TAKES(FORMAT) | TAKES(OUTPUT_FILE) | TAKES(FROM) | TAKES(TO) | TAKES(SINCE), 0, 0, NULL,
      verb_report },
    { "simulate", "Understanding", "", "try huddle on recorded demand, without touching anything",
      "Plays a history of demand on virtual nodes: all of them always on, with a reactive "
      "autoscaler of replicas and nodes (target 70 %, nodes go after ten minutes below half), with "
      "huddle's own planner, and with one that knows the future; and the least energy that any "
      "policy could need. Unserved requests would have waited for more than a minute, late ones "
      "for more than 15 s. Each ServedModel must declare its capacity, the PowerPool its boot "
      "time. A replica takes the share of a node of the resource of which it needs most. Within a "
      "row demand is taken for even. A file's first line says what it is: \"time,MODEL,...\" "
      "(seconds or 2026-11-01T00:00:00Z, then requests/s; an empty cell is not known), \"t,value\" "
      "(one model), \"time_ms,cpus,...\" (huddle-agent --record: busy CPUs, a replica's capacity "
      "is its cpu), \"TIMESTAMP,...\" (a line a request), numbers alone (a client of ServeGen), or "
      "{ (what Prometheus' /api/v1/query_range answers). huddle's own forecasts, sizing, packing, "
      "checks and life cycle of nodes run on virtual time, within the policy's budgets and, where "
      "times are dates, windows; its dryRun, paused and objective, and what of a model may wait "
      "(deferrable) are not looked at. Money and kgCO2 weigh the energy of each step by the rate "
      "of its own time: the policy's price and carbon (a number, the hours of a day, a file), or "
      "--price and --carbon. Where times are no dates, time 0 is 00:00. Needs no server of "
      "huddle's; the same seed gives the same bytes.",
      "# a table of one's own, requests/s of each model; what comes of it as one page with plots\n"
      "huddlectl simulate --history november.csv -f rack.yaml --nodes 20 \\\n"
      "    --size cpu=32,memory=128Gi --watts 90,310 --price 0.28 --carbon 380 --output page.html\n"
      "# a month of vLLM from Prometheus\n"
      "huddlectl simulate --prometheus https://prometheus.example:9090 --preset vllm --start 30d "
      "\\\n"
      "    --token-file token --ca ca.pem -f llm.yaml --nodes 16 --size gpus=8 --watts 1900,8000\n"
      "# with a query of one's own, of which the label \"app\" names the model\n"
      "huddlectl simulate --prometheus http://127.0.0.1:9090 --label app \\\n"
      "    --query 'sum by (app) (rate(requests_total[%s]))' \\\n"
      "    -f rack.yaml --nodes 20 --size cpu=32 --watts 90,310\n"
      "# what Prometheus answered earlier\n"
      "curl -g 'http://127.0.0.1:9090/api/v1/query_range?query=...&start=...&end=...&step=60' > "
      "saved.json\n"
      "huddlectl simulate --history saved.json --label app -f rack.yaml --nodes 20 \\\n"
      "    --size cpu=32 --watts 90,310\n"
      "# recordings of two nodes (huddle-agent --record n1.csv): their demand, and a curve\n"
      "huddlectl simulate --history chat=n1.csv --history chat=n2.csv --watts ./n1.csv \\\n"
      "    -f rack.yaml --nodes 4 --size cpu=32,memory=128Gi\n"
      "# one series (\"t,value\"), a log of requests, the clients of ServeGen\n"
      "huddlectl simulate --history chat=series.csv --history code=AzureLLMInferenceTrace_code.csv "
      "\\\n"
      "    -f rack.yaml --nodes 20 --size cpu=32 --watts 90,310\n"
      "huddlectl simulate --history chat=servegen/m-small -f gpu.yaml --nodes 64 --size gpus=8 \\\n"
      "    --watts 1900,2877,3699,4429,5089,5689,6236,6738,7197,7617,8000\n"
      "# by the hour: lines of time,gCO2/kWh and of time,price (2026-11-23T07:00Z,412)\n"
      "huddlectl simulate --history november.csv -f rack.yaml --nodes 20 --size cpu=32 \\\n"
      "    --watts 90,310 --carbon grid.csv --price spot.csv\n"
      "# slow boots that sometimes fail, slow loads, bad meters; as JSON\n"
      "huddlectl simulate --history llm.csv -f gpu.yaml --nodes 64 --size gpus=8 --watts 1900,8000 "
      "\\\n"
      "    --boot 300s..600s --load 1m..2m..15m --boot-failures 1% --meter-noise 2% --seed 7 -o "
      "json\n"
      "# nodes that suspend and wake within seconds\n"
      "huddlectl simulate --history llm.csv -f gpu.yaml --nodes 64 --size gpus=8 --watts 1900,8000 "
      "\\\n"
      "    --boot 3s --shutdown 2s..5s --resolution 1s\n"
      "# what if?\n"
      "huddlectl simulate --history november.csv -f rack.yaml --nodes 16 --size cpu=32 \\\n"
      "    --watts 90,310 --set policy.quantile=0.99 --set pool.spare=2\n"
      "huddlectl simulate --history november.csv -f rack.yaml --nodes 20 --size cpu=32 \\\n"
      "    --watts 90,310 --compare bold.yaml careful.yaml\n",
      SIMULATE, 0, -1, NULL, verb_simulate },
    { "apply", "Declaring", "-f FILE...", "create or change objects as files declare them",
      "Reads all files first, whatever they are; when one document is refused nothing is sent, and "
      "each refused document has its line: file:line:column: path: what is wrong, what was "
      "expected. Then every object is created, or its spec is replaced by the declared one. "
      "Objects that are so already are left alone.",
      "huddlectl apply -f models.yaml\n"
      "# check only: needs no server, prints each object with its defaults\n"
      "huddlectl apply --dry-run=client -f deploy/\n"
      "# let the server check, store nothing\n"
      "cat pool.yaml | huddlectl apply --dry-run=server -f -\n",
      TAKES(FILENAME) | TAKES(RECURSIVE) | TAKES(DRY_RUN) | TAKES(OUTPUT), 0, 0, NULL, verb_apply },
    { "diff", "Declaring", "-f FILE...", "show what apply would change",
      "A unified diff of YAML, from the live objects to the declared ones. Exit code 0: nothing "
      "would change, 1: something would, 2: it could not be found out.",
      "huddlectl diff -f models.yaml\n"
      "huddlectl diff -R -f deploy/ && echo nothing to do\n",
      TAKES(FILENAME) | TAKES(RECURSIVE), 0, 0, NULL, verb_diff },
    { "delete", "Declaring", "KIND NAME... | KIND/NAME... | -f FILE...",
      "delete declared objects, and nodes that are gone",
      "A deleted model's replicas get no new request, finish those they have, and stop. A node can "
      "be deleted while it does not report (it is asleep, unreachable or was never heard) and the "
      "front door reaches no replica on it: its replicas are placed elsewhere, what was counted of "
      "it is forgotten. Deleted in its sleep it stays off until somebody switches it on. Should "
      "its agent report again it is a new node.",
      "huddlectl delete model small\n"
      "# a machine that was given away: empty it, stop its agent there, then\n"
      "huddlectl delete node n3\n"
      "huddlectl delete -f models.yaml --ignore-not-found\n",
      TAKES(FILENAME) | TAKES(RECURSIVE) | TAKES(IGNORE_NOT_FOUND) | TAKES(DRY_RUN_SERVER), 0, -1,
      "kinds to delete", verb_delete },
    { "schema", "Declaring", "[KIND]", "print the JSON schema of objects",
      "For editors and other checkers: the same fields, ranges and defaults that apply reads.",
      "huddlectl schema > huddle.schema.json\n"
      "huddlectl schema powerpool\n",
      0, 0, 1, "servedmodel powerpool powerpolicy", verb_schema },
    { "drain", "Steering nodes", NODES, "move everything away from nodes",
      "Nothing new is placed on the node; its replicas are started elsewhere, made ready, given "
      "the traffic, and only then stopped here. uncordon ends it.",
      "huddlectl drain n3 --reason 'new disk' --wait\n"
      "huddlectl drain -l rack=a\n",
      ON_NODES_LONG, 0, -1, "nodes", verb_node },
    { "sleep", "Steering nodes", NODES, "put nodes to sleep",
      "Refused where a guarantee would break; the message says which. The node is drained first, "
      "and its own agent has to agree.",
      "huddlectl sleep n3\n"
      "huddlectl sleep n3 n4 --wait --timeout 15m\n",
      ON_NODES_LONG, 0, -1, "nodes", verb_node },
    { "wake", "Steering nodes", NODES, "wake nodes", "A quarantined node is tried again at once.",
      "huddlectl wake n3 --wait\n"
      "huddlectl wake -l rack=a\n",
      ON_NODES_LONG, 0, -1, "nodes", verb_node },
    { "power test", "Steering nodes", "NODE", "prove that a node can be woken",
      "Drains the node, puts it to sleep and wakes it, so many times, and measures both. It is the "
      "only way by which a node may sleep whose waking is not proven; without proof huddle "
      "recommends and never acts. Refused where a sleep by plan would be; one unproven node of a "
      "pool is tested at a time. The proof holds for 90 days and for the machine's MAC addresses, "
      "machine id and product UUID (describe node shows it); every wake by huddle renews it. A "
      "node that does not come back is quarantined, and a driver that seems to switch another "
      "machine is told of. The server does it: when this program is interrupted the test goes on, "
      "and wake stops it.",
      "huddlectl power test n3\n"
      "huddlectl power test n3 --cycles 5 --reason 'new board'\n"
      "# stop it\n"
      "huddlectl wake n3\n",
      TAKES(CYCLES) | TAKES(REASON) | TAKES(WAIT_DEFAULT) | TAKES(TIMEOUT), 1, 1, "nodes",
      verb_power_test },
    { "cordon", "Steering nodes", NODES, "place nothing new on nodes", "What is on them stays.",
      "huddlectl cordon n3 --reason 'flaky fan'\n", ON_NODES, 0, -1, "nodes", verb_node },
    { "uncordon", "Steering nodes", NODES, "take cordon or drain back", "",
      "huddlectl uncordon n3\n", ON_NODES, 0, -1, "nodes", verb_node },
    { "hold", "Steering nodes", NODES, "keep huddle's hands off nodes",
      "huddle neither sleeps, wakes nor drains a held node until it is released.",
      "huddlectl hold n3 --reason 'I am working on it'\n", ON_NODES, 0, -1, "nodes", verb_node },
    { "release", "Steering nodes", NODES " | --all", "take a hold back; --all: give a cluster back",
      "With --all, and your own kubeconfig: sets `mode: release` of every PowerPool, upon which "
      "the leading controller wakes all nodes, takes moves back, and takes its taints, labels, "
      "annotations and NodePowers off; waits until nothing of it is left, and says what still is, "
      "and why. Without a controller, or when time is up, it prints the commands of kubectl that "
      "take off what is left, and fails. Huddle does nothing from then on; objects that are kept "
      "in a repository have to say `mode: release` there, too.",
      "huddlectl release n3\n"
      "# before huddle is uninstalled\n"
      "huddlectl release --all --timeout 1h\n",
      ON_NODES | TAKES(ALL) | TAKES(NAMESPACE) | TAKES(TIMEOUT) | TAKES_ALWAYS, 0, -1, "nodes",
      verb_release },
    { "pause", "Steering huddle", "", "do nothing but wake nodes",
      "The first thing to do when in doubt: no move, no sleep, no shrink, until resume.",
      "huddlectl pause --reason 'network maintenance'\n", TAKES(REASON), 0, 0, NULL, verb_cluster },
    { "resume", "Steering huddle", "", "go on after a pause", "", "huddlectl resume\n",
      TAKES(REASON), 0, 0, NULL, verb_cluster },
    { "token create", "Steering huddle", "NAME --role ROLE", "make a bearer token",
      "Prints the token, which is shown once and kept nowhere, and the line for the controller's "
      "token file, which holds only its hash. Needs no server. A token of role agent is for one "
      "node: reports in another node's name are refused.",
      "huddlectl token create alice --role operator --expires 90d\n"
      "huddlectl token create prometheus --role metrics --append /etc/huddle/tokens > token\n"
      "# for the agent of node n3\n"
      "huddlectl token create n3 --role agent --append /etc/huddle/tokens > token\n",
      TAKES(ROLE) | TAKES(NODE) | TAKES(EXPIRES) | TAKES(APPEND) | TAKES(OUTPUT_ONE), 1, 1, NULL,
      verb_token_create },
    { "token join", "Steering huddle", "", "make a token with which nodes join",
      "Prints the command to run on each node: there it makes a key, compares the public key of "
      "the "
      "controller's authority with the one in the command, and only then shows the token and asks "
      "for a certificate. Of the token only the hash is kept. To be run on the controller's host.",
      "huddlectl token join --server https://ctl.example:7443\n"
      "# a rack that is installed today\n"
      "huddlectl token join --uses 40 --expires 8h --from 192.0.2.0/24\n"
      "# a machine that was installed anew under its old name\n"
      "huddlectl token join --replace\n",
      TAKES(PKI) | TAKES(USES) | TAKES(JOIN_EXPIRES) | TAKES(NETWORK) | TAKES(REPLACE), 0, 0, NULL,
      verb_token_join },
    { "node revoke", "Steering huddle", "NODE", "revoke the certificate with which a node joined",
      "From the next request on its reports are refused. It needs a new join token to come back, "
      "as a new node may with that name. To be run on the controller's host; what runs on the node "
      "runs on, and delete forgets it.",
      "huddlectl node revoke n3\n", TAKES(PKI), 1, 1, NULL, verb_node_revoke },
    { "token list", "Steering huddle", "", "list the tokens of the controller's token file",
      "Names, roles, and until when, and the join tokens beside it; the tokens themselves are kept "
      "nowhere. Needs no server, but the file.",
      "huddlectl token list\n"
      "huddlectl token list --tokens /etc/huddle/tokens -o json\n",
      TAKES(TOKENS) | TAKES(OUTPUT_ONE), 0, 0, NULL, verb_token_list },
    { "token delete", "Steering huddle", "NAME", "delete a token",
      "Takes its line out of the controller's token file. A running controller lets it in until it "
      "reads the file again: systemctl reload huddle-controller. A join token is named by what "
      "stands before its dot, and counts no more at once.",
      "huddlectl token delete alice && systemctl reload huddle-controller\n", TAKES(TOKENS), 1, 1,
      NULL, verb_token_delete },
    { "doctor", "Kubernetes", "", "what sleeping nodes would hurt, and what stops huddle",
      "Lists a whole cluster, changes nothing, and tells for each thing found which object it is, "
      "what happens, how that was derived, and its way out: `hurts` is what would suffer from "
      "sleeping nodes, `stops` what huddle cannot do here, `note` what is worth knowing. The end "
      "says how many nodes could sleep now by a simple packing of requests. With a namespace only "
      "what is in it. Exit code 0: nothing hurts or stops, 3: something does, 1: it could not be "
      "found out.",
      "huddlectl doctor\n"
      "huddlectl doctor --context production -o json\n"
      "huddlectl doctor -n models\n",
      ON_CLUSTER, 0, 0, NULL, verb_doctor },
    { "discover", "Kubernetes", "", "propose ServedModels for what serves models",
      "Looks for Deployments and StatefulSets that run vLLM, Triton, TGI, llama.cpp or TorchServe, "
      "are predictors of KServe, or have a GPU and a Service, and proposes a ServedModel for each: "
      "replicas of its autoscaler (HPA, KEDA), resources of its requests, minAvailable of its "
      "PodDisruptionBudget, startupTime of its probe. What could not be told stands above it as a "
      "comment (-o yaml). Changes nothing.",
      "huddlectl discover\n"
      "huddlectl discover -n models -o yaml > models.yaml\n"
      "huddlectl apply --dry-run=client -f models.yaml\n",
      ON_CLUSTER, 0, 0, NULL, verb_discover },
    { "auth check", "Kubernetes", "",
      "which of the rights that huddle needs this user has, or huddle's account",
      "Asks the cluster for each rule (SelfSubjectAccessReview), and tells what is off without it. "
      "The rules are those of deploy/kubernetes/act; --account huddle-controller asks about the "
      "account that the controller has there (SubjectAccessReview). Rules of modes that "
      "are not the default do not count. Exit code 0: all are there, 3: some are missing, 1: it "
      "could not be found out.",
      "huddlectl auth check\n"
      "# has the controller what it needs, and what is lost without it?\n"
      "huddlectl auth check --account huddle-controller\n"
      "huddlectl auth check --kubeconfig controller.kubeconfig -o json\n",
      TAKES(OUTPUT_ONE) | TAKES(KUBECONFIG) | TAKES(CONTEXT) | TAKES(CHECKED_ACCOUNT), 0, 0, NULL,
      verb_auth_check },
    { "move", "Kubernetes", "POD --to NODE", "move a pod to a node without losing a request",
      "Of a Deployment or a ReplicaSet: a second pod is made on the node, beside the "
      "others; when it is ready, in the endpoints of every Service and known to proxies, the "
      "ReplicaSet adopts it and deletes the first one. The number of replicas is not written, so "
      "autoscalers and GitOps have nothing to take back; the scheduler checks the node as always. "
      "Of a StatefulSet, and where pods may not be created: the number of replicas is one more "
      "while it lasts, the pod is evicted, and the scheduler chooses the node, any but the one "
      "that "
      "is left; refused where an autoscaler or another owner writes that number. Without the "
      "right to evict, a ReplicaSet deletes the pod, marked as the cheapest. "
      "Not begun during a rollout, when a PodDisruptionBudget allows no disruption, when the node "
      "has no room or is tainted or cordoned, or when the pod has no preStop hook or too short a "
      "grace period. Ended in the middle, it goes on when it is asked again; what was begun and "
      "not gone on with is taken back by --abort, or by the next move after its deadline. Exit "
      "code 0: moved, 1: not moved, with the reason. It talks to Kubernetes with your rights, not "
      "to huddle's controller: it gets pods, replicasets, deployments, services, endpointslices, "
      "poddisruptionbudgets and persistentvolumeclaims in the namespace, nodes and pods in the "
      "cluster; it creates, patches and deletes pods in the namespace, or scales the workload, "
      "patches and evicts pods, and then it lists horizontalpodautoscalers and servedmodels.",
      "# what would be done, and what stands against it?\n"
      "huddlectl move web-6d4cf56db6-x7k2p --to n2 -n shop --dry-run\n"
      "huddlectl move web-6d4cf56db6-x7k2p --to n2 -n shop\n"
      "# as long as it is not handed over\n"
      "huddlectl move web-6d4cf56db6-x7k2p -n shop --abort\n",
      TAKES(NAMESPACE) | TAKES(CONTEXT) | TAKES(KUBECONFIG) | TAKES(TO_NODE) | TAKES(DRY_RUN_MOVE) |
          TAKES(SETTLE) | TAKES(DEADLINE) | TAKES(ACKNOWLEDGE_DRAIN) | TAKES(ABORT),
      1, 1, NULL, verb_move },
    { "install crds", "Kubernetes", "[KIND...]", "make a cluster know huddle's objects",
      "Applies the CustomResourceDefinitions of ServedModel, PowerPool, PowerPolicy and NodePower "
      "on "
      "the server's side (field manager huddle), so that a newer huddle brings newer ones, and "
      "stays until the cluster serves them. They hold the same fields, bounds, defaults and rules "
      "that apply reads; what the cluster's version does not know is left out. Objects that are "
      "there already stay as they are. To take them away, and with them every object of these "
      "kinds: kubectl delete crd -l app.kubernetes.io/part-of=huddle. It needs the right to get, "
      "create and patch customresourcedefinitions. Exit code 0: served, 1: not, with the reason.",
      "huddlectl install crds\n"
      "# what would change?\n"
      "huddlectl install crds --dry-run=server\n"
      "# for GitOps, or to read them: needs no cluster\n"
      "huddlectl install crds --dry-run=client -o yaml > crds.yaml\n"
      "huddlectl install crds servedmodels --dry-run=client -o json\n",
      TAKES(OUTPUT_ONE) | TAKES(KUBECONFIG) | TAKES(CONTEXT) | TAKES(DRY_RUN_INSTALL) |
          TAKES(FORCE_CONFLICTS),
      0, -1, "servedmodels powerpools powerpolicies nodepowers", verb_install_crds },
    { "version", "Other", "", "show the version of this program and of the server", "",
      "huddlectl version\n"
      "huddlectl version --client -o json\n",
      TAKES(OUTPUT_ONE) | TAKES(CLIENT), 0, 0, NULL, verb_version },
    { "completion", "Other", "bash | zsh | fish", "print a completion script",
      "Completes verbs, flags, their values, kinds, and the names of objects that the server "
      "knows.",
      "source <(huddlectl completion bash)\n"
      "huddlectl completion zsh > ~/.zfunc/_huddlectl\n"
      "huddlectl completion fish | source\n",
      0, 1, 1, "bash zsh fish", verb_completion },
    { "manual", "Other", "huddlectl.1 | huddle.yaml.5", "print a manual page", "",
      "huddlectl manual huddle.yaml.5 | man -l -\n", 0, 1, 1, "huddlectl.1 huddle.yaml.5",
      verb_manual },
    { "__complete", "", "-- WORD...", "candidates for the last word", "",
      "huddlectl __complete -- get no\n", 0, 0, -1, NULL, verb_complete },
    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL },
};

option_set verb_takes(const struct verb *v)
{
    if (!v)
        return TAKES_ALWAYS;
    return v->takes | (v->takes & TAKES(KUBECONFIG) ? TAKES(HELP) : TAKES_ALWAYS);
}

const struct verb *verbs(void)
{
    return VERBS;
}

/* Does the verb's name stand at the beginning of the operands? */
static size_t words_taken(const struct verb *v, const struct options *o)
{
    const char *blank = strchr(v->name, ' ');
    size_t n = blank ? (size_t)(blank - v->name) : strlen(v->name);

    if (strlen(o->operands[0]) != n || strncmp(o->operands[0], v->name, n) != 0)
        return 0;
    if (!blank)
        return 1;
    return o->n_operands > 1 && strcmp(o->operands[1], blank + 1) == 0 ? 2 : 0;
}

const struct verb *verb_find(const struct options *o, size_t *ret_words, struct err *e)
{
    struct guess g = guess_begin(o->operands[0]);
    const char *near;
    size_t n;

    for (const struct verb *v = VERBS; v->name; v++) {
        *ret_words = words_taken(v, o);
        if (*ret_words)
            return v;
        guess_consider(&g, v->name, strcspn(v->name, " "));
    }
    near = guess_word(&g, &n);
    if (near && !near[n]) /* not the beginning of a verb of two words */
        (void)err_set(e, -EINVAL, "\"%.60s\" is no verb; did you mean \"%.*s\"?", g.given, (int)n,
                      near);
    else if (near)
        (void)err_set(e, -EINVAL, "\"%.60s\" is no verb; did you mean \"%s\"?", g.given, near);
    else
        (void)err_set(e, -EINVAL, "\"%.60s\" is no verb", g.given);
    return NULL;
}

/* --- help --------------------------------------------------------------------------------------
 */

#define HELP_WIDTH 92

static void heading(struct strbuf *out, const char *text, bool colour)
{
    strbuf_putc(out, '\n');
    paint_text(out, text, PAINT_HEAD, colour);
    strbuf_putc(out, '\n');
}

static void add_options(struct strbuf *out, option_set mask)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = option_of((enum option_id)i);
        AUTO(strbuf) struct strbuf flag = STRBUF_INIT;

        if (!(mask >> i & 1))
            continue;
        if (o->letter)
            strbuf_printf(&flag, "-%c, ", o->letter);
        else
            strbuf_puts(&flag, "    ");
        strbuf_printf(&flag, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        strbuf_printf(out, "  %-24s ", strbuf_text(&flag));
        text_wrap(out, o->help, HELP_WIDTH - 27, 27);
        strbuf_putc(out, '\n');
    }
}

/* Examples name the program as it was called. */
static void add_examples(struct strbuf *out, const char *examples, const char *program)
{
    while (*examples) {
        size_t n = strcspn(examples, "\n"), own = strlen("huddlectl");
        const char *found = memmem(examples, n, "huddlectl", own);

        if (found)
            strbuf_printf(out, "  %.*s%s%.*s\n", (int)(found - examples), examples, program,
                          (int)(n - own - (size_t)(found - examples)), found + own);
        else
            strbuf_printf(out, "  %.*s\n", (int)n, examples);
        examples += n + (examples[n] == '\n');
    }
}

static void program_help(struct strbuf *out, const char *program, bool colour)
{
    const char *group = "";

    strbuf_printf(out,
                  "%s shows and steers huddle: models served on the fewest powered nodes.\n\n"
                  "Usage: %s VERB [OPTION...]\n",
                  program, program);
    for (const struct verb *v = VERBS; v->name; v++) {
        if (*v->name == '_')
            continue;
        if (strcmp(group, v->group) != 0)
            heading(out, v->group, colour);
        group = v->group;
        strbuf_printf(out, "  %-14s %s\n", v->name, v->summary);
    }
    heading(out, "Options of every verb", colour);
    add_options(out, TAKES_ALWAYS);
    strbuf_printf(out, "\n'%s VERB --help' explains a verb, with examples.\n", program);
}

void verb_help(struct strbuf *out, const struct verb *v, const char *program, bool colour)
{
    if (!v) {
        program_help(out, program, colour);
        return;
    }
    strbuf_printf(out, "%s %s: %s\n\nUsage: %s %s%s%s%s\n", program, v->name, v->summary, program,
                  v->name, *v->operands ? " " : "", v->operands, v->takes ? " [OPTION...]" : "");
    if (*v->text) {
        strbuf_putc(out, '\n');
        text_wrap(out, v->text, HELP_WIDTH, 0);
        strbuf_putc(out, '\n');
    }
    heading(out, "Examples", colour);
    add_examples(out, v->examples, program);
    if (v->takes) {
        heading(out, "Options", colour);
        add_options(out, v->takes & ~TAKES_ALWAYS);
    }
    heading(out, "Options of every verb", colour);
    add_options(out, verb_takes(v) & TAKES_ALWAYS);
}
