#!/usr/bin/env python3
"""`bylaw plan` with nothing to do, side by side with `terraform plan` on the same moto.

    tests/support/venv.sh                                  (once; prints the environment that has moto)
    VENV/bin/python benches/organization/compare.py --bylaw target/release/bylaw [--size medium] [--runs 3]
        [--terraform terraform [--plugins DIR]] [--throttles FILE]

--terraform  a Terraform binary; left out, bylaw is measured alone. --plugins: a filesystem mirror with hashicorp/aws.
--throttles  {"throttles": {"ListAccounts": [rate a second, burst]}}: after that once more with moto refusing as AWS would.

Prints wall time, CPU and peak memory of the process, and calls. Calls are exact; wall time is the machine's mood, and
moto's more than anybody's.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SERVER = HERE.parent.parent / "tests" / "support" / "serve_moto.py"
ACCOUNT = "123456789012"


class Moto:
    def __init__(self, throttles):
        command = [sys.executable, str(SERVER), *(["--throttles", str(throttles)] if throttles else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def zero(self):
        return self.get(f"/_count/{ACCOUNT}/zero")

    def call(self, operation, **body):
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {
            "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSOrganizationsV20161128." + operation,
            "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/organizations/aws4_request, "
                             "SignedHeaders=host, Signature=0"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


def environment(moto, home):
    return dict(os.environ, HOME=str(home), XDG_CACHE_HOME=str(home / "cache"), XDG_STATE_HOME=str(home / "state"),
                AWS_ENDPOINT_URL=moto.url, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing",
                AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true", NO_COLOR="1", CHECKPOINT_DISABLE="1")


def run(command, moto, home):
    """Wall seconds, CPU seconds and peak MiB of a command and its children, and the calls that moto counted."""
    moto.zero()
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=home, env=environment(moto, home), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    counts = moto.zero()
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"{command} ended with {code}:\n{output.decode(errors='replace')[-4000:]}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024,
            "calls": sum(counts["calls"].values()), "refused": sum(counts["errors"].values())}


def told(what, runs):
    wall = sorted(r["wall"] for r in runs)
    print(f"{what:<34} {wall[len(wall) // 2]:8.2f} s  {min(r['cpu'] for r in runs):7.2f} s CPU "
          f"{max(r['peak'] for r in runs):6.0f} MiB  {runs[-1]['calls']:6} calls  {runs[-1]['refused']:4} refused", flush=True)


def made_by_bylaw(args, org, folder):
    """The organization made from nothing by bylaw, on a moto of its own, and planned with the manifests that made it."""
    with Moto(args.throttles) as moto:
        moto.call("CreateOrganization", FeatureSet="ALL")
        subprocess.run([sys.executable, str(HERE / "manifests.py"), "--org", str(org / "org.json"), "--management",
                        ACCOUNT, "--out", str(folder / "manifests")], check=True, stdout=subprocess.DEVNULL)
        call = bylaw(args, folder / "manifests")
        told("bylaw apply, from nothing", [run(call("apply", "--yes"), moto, folder)])
        rounds(args, moto, folder, {"bylaw plan, cold": call("plan", "--fresh"), "bylaw plan, warm": call("plan")})


def made_by_terraform(args, org, folder):
    """The organization made from nothing by Terraform, imported by bylaw, and planned by both in turn on one moto."""
    with Moto(args.throttles) as moto:
        moto.call("CreateOrganization", FeatureSet="ALL")
        root = moto.call("ListRoots")["Roots"][0]["Id"]
        for kind in json.loads((org / "org.json").read_text())["policyTypes"]:
            moto.call("EnablePolicyType", RootId=root, PolicyType=kind)
        (folder / "main.tf.json").write_text((org / "main.tf.json").read_text())
        mirror = [f"-plugin-dir={args.plugins.resolve()}"] if args.plugins else []
        run([args.terraform, "init", "-input=false", *mirror], moto, folder)
        variable = ["-input=false", "-var", f"root_id={root}"]
        told("terraform apply, from nothing", [run([args.terraform, "apply", "-auto-approve", *variable], moto, folder)])
        # moto does not know DescribeResourcePolicy, so that part cannot be read.
        imported = [str(args.bylaw.resolve()), "import", "--partial", "--pace", "none", "--output", "manifests"]
        told("bylaw import of it", [run(imported, moto, folder)])
        call = bylaw(args, folder / "manifests")
        rounds(args, moto, folder, {
            "terraform plan": [args.terraform, "plan", "-detailed-exitcode", *variable],
            "bylaw plan, cold": call("plan", "--fresh"),
            "bylaw plan, warm": call("plan"),
        })


def bylaw(args, manifests):
    return lambda *command: [str(args.bylaw.resolve()), *command, "--pace", "none", "-f", str(manifests)]


def rounds(args, moto, folder, commands):
    """The commands in turn, so that whatever else the machine does falls on all of them."""
    taken = {name: [] for name in commands}
    for _ in range(args.runs):
        for name, command in commands.items():
            taken[name].append(run(command, moto, folder))
    for name, runs in taken.items():
        told(name, runs)
    if not args.throttles:
        return
    for name, command in commands.items():
        paced = ["aws" if word == "none" else word for word in command]
        moto.get(f"/_throttle/{ACCOUNT}/on")
        told(f"{name}, throttled", [run(paced, moto, folder)])
        moto.get(f"/_throttle/{ACCOUNT}/off")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bylaw", type=pathlib.Path, required=True)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--terraform")
    parser.add_argument("--plugins", type=pathlib.Path)
    parser.add_argument("--throttles", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([sys.executable, str(HERE / "generate.py"), "--size", args.size, "--out", str(folder / "org")], check=True)
        for measure in [made_by_bylaw, *([made_by_terraform] if args.terraform else [])]:
            (folder / measure.__name__).mkdir()
            measure(args, folder / "org", folder / measure.__name__)


if __name__ == "__main__":
    main()
