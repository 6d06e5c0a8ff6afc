"""The machine that the benchmark ran on."""

import os
import platform
import subprocess


def memory_field(name):
    with open("/proc/meminfo", encoding="ascii") as fields:
        for line in fields:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def available_memory():
    return memory_field("MemAvailable")


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def first_line(*command):
    try:
        output = subprocess.run(command, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False).stdout
    except OSError:
        return "unknown"
    return output.decode(errors="replace").splitlines()[0]


def describe(session):
    """Facts by heading; the load shows whether the machine was busy."""
    cursor = session.cursor()
    cursor.execute("SELECT version(), hibob_fdw_version()::text")
    postgresql, extension = cursor.fetchone()
    session.close()
    return {
        "processor": f"{processor()}, {os.cpu_count()} of them",
        "memory": f"{memory_field('MemTotal') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "compiler": first_line("gcc", "--version"),
        "PostgreSQL": postgresql,
        "hibob_fdw": extension,
        "curl": first_line("curl", "--version"),
        "Python": platform.python_version(),
        "load at the start": " ".join(f"{n:.1f}" for n in os.getloadavg()),
    }
