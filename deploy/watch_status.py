#!/usr/bin/env python3
"""Example subscriber of the Fieldwarden status channel, for ops scripts.

Prints a line for every change of a task's state and for every gap in the sequence numbers. The channel replays the last
value of everything a subscription matches, so the first lines are the state of now.

    python3 watch_status.py --data-dir /var/lib/fieldwarden                 every task's state
    python3 watch_status.py --data-dir DIR connection_status error_alerts   other topics, as JSON

Needs python3-zmq. Exit code: 0 after Ctrl-C.
"""

import argparse
import json
import sys

import zmq


def subscribe(endpoint, topics):
    """Yields (topic, envelope) for every message; `topics` are prefixes."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.connect(endpoint)
        for topic in topics:
            socket.subscribe(topic)
        while True:
            topic, body = socket.recv_multipart()
            yield topic.decode(), json.loads(body)


def describe(task):
    """One line for a human from a ProcessStatus."""
    pid = f"pid {task['pid']}" if task["pid"] else "no process"
    line = f"{task['name']:<20} {task['status']:<9} {pid:<12} {task['data_collection_rate']:>8.0f} points/s"
    return f"{line}  {task['last_error']}" if task["last_error"] else line


def main():
    parser = argparse.ArgumentParser(description="Watch the Fieldwarden status channel.")
    parser.add_argument("--data-dir", default="/var/lib/fieldwarden", help="data directory of the supervisor")
    parser.add_argument("--endpoint", help="instead of the data directory: tcp://127.0.0.1:8701")
    parser.add_argument("topics", nargs="*", default=["process_status"], help="topic prefixes")
    options = parser.parse_args()
    endpoint = options.endpoint or f"ipc://{options.data_dir}/run/status.sock"

    states = {}
    # With every topic subscribed the numbers have no gaps but real ones; with some, only backward jumps mean anything:
    # a restarted supervisor counts from the start again.
    last_seq = 0
    for topic, event in subscribe(endpoint, options.topics):
        if event["seq"] < last_seq and event["seq"] < 100:
            print("# the supervisor was restarted", flush=True)
        last_seq = max(event["seq"], last_seq if event["seq"] >= 100 else 0)
        if event["type"] != "process_status_update":
            print(json.dumps({"topic": topic, **event}, ensure_ascii=False), flush=True)
            continue
        task = event["data"]
        state = (task["status"], task["pid"])
        if states.get(task["name"]) != state:
            states[task["name"]] = state
            print(event["ts"], describe(task), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
