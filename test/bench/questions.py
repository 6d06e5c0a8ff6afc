"""What ten typical queries cost if HiBob allows 50 requests a minute.

The queries run against the simulator, which records the requests.  For
comparison, a naive client requests the list of all employees, and then each
employee that the query is about.
"""

import json
import urllib.request

PER_MINUTE = 50

EVERYBODY = "SELECT count(*) FROM people"
ACTIVE = "SELECT count(*) FROM people WHERE status = 'Active'"

# The queries, in words and in SQL, and the employees of the naive client.
QUESTIONS = (
    ("Headcount by department",
     "SELECT department, count(*) FROM people WHERE status = 'Active' "
     "GROUP BY department", ACTIVE),
    ("Whose is this e-mail address?",
     "SELECT id, full_name, status FROM people WHERE email = %(email)s",
     "SELECT 1"),
    ("Do these 120 accounts belong to anybody?",
     "SELECT email, status FROM people WHERE email = ANY (%(emails)s)",
     "SELECT 120"),
    ("Who left and still holds a licence?",
     "SELECT l.account, p.full_name, p.termination_date FROM licence l "
     "JOIN people p ON p.email = l.account WHERE p.status = 'Inactive'",
     EVERYBODY),
    ("Who has started this year?",
     "SELECT full_name, department, start_date FROM people "
     "WHERE start_date >= '2026-01-01'", EVERYBODY),
    ("Who reports to whom?",
     "SELECT p.full_name, p.manager_name FROM people p "
     "WHERE status = 'Active'", ACTIVE),
    ("A copy of the people",
     "CREATE MATERIALIZED VIEW hr_people AS SELECT * FROM people", EVERYBODY),
    ("Average salary by department",
     "SELECT p.department, avg(s.amount) FROM people p "
     "JOIN salaries s ON s.employee_id = p.id WHERE s.is_current "
     "GROUP BY p.department",
     EVERYBODY),
    ("One employee's career",
     "SELECT * FROM work_history WHERE employee_id = %(id)s "
     "ORDER BY effective_date", "SELECT 1"),
    ("Job changes of everybody",
     "SELECT employee_id, effective_date, job_title_id FROM work_history",
     EVERYBODY),
)


def drain_requests(simulator):
    """The requests since the previous call."""
    request = urllib.request.Request(f"{simulator}/_sim/requests",
                                     method="DELETE")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def seconds_of(requests):
    """The time that requests of one endpoint take because of the rate limit."""
    return max(requests - 1, 0) // PER_MINUTE * 60


def seconds_of_endpoints(endpoints):
    """Each endpoint has its own limit; the slowest endpoint counts."""
    return max((seconds_of(endpoints.count(endpoint))
                for endpoint in set(endpoints)), default=0)


def set_up(cursor, simulator):
    cursor.execute(f"""
        DROP SERVER IF EXISTS simulator CASCADE;
        CREATE SERVER simulator FOREIGN DATA WRAPPER hibob_fdw
            OPTIONS (base_url '{simulator}/v1');
        CREATE USER MAPPING FOR CURRENT_USER SERVER simulator
            OPTIONS (service_user_id 'SERVICE-5772',
                     token 's3cret-canary-token');
        DROP SCHEMA IF EXISTS queries CASCADE;
        CREATE SCHEMA queries;
        IMPORT FOREIGN SCHEMA hibob LIMIT TO (people, salaries, work_history)
            FROM SERVER simulator INTO queries;
        SET search_path = queries, public;
        CREATE TABLE queries.licence AS
            SELECT email AS account FROM people WHERE email IS NOT NULL
            ORDER BY id LIMIT 200;
        ANALYZE licence;""")
    cursor.execute("SELECT min(id), min(email), (SELECT array_agg(email) FROM "
                   "(SELECT email FROM people ORDER BY email LIMIT 120) AS e) "
                   "FROM people WHERE status = 'Active'")
    return dict(zip(("id", "email", "emails"), cursor.fetchone()))


def ask(cursor, simulator):
    """The company, and a record for each query."""
    values = set_up(cursor, simulator)
    answers = []
    for title, question, naive in QUESTIONS:
        drain_requests(simulator)
        cursor.execute(question, values)
        rows = cursor.rowcount
        endpoints = [r["endpoint"] for r in drain_requests(simulator)]
        cursor.execute(naive)
        naive_requests = cursor.fetchone()[0]
        if naive in (EVERYBODY, ACTIVE):
            naive_requests += 1     # the list of all employees
        answers.append({
            "question": title, "rows": rows, "requests": len(endpoints),
            "seconds": seconds_of_endpoints(endpoints),
            "naive_requests": naive_requests,
            "naive_seconds": seconds_of(naive_requests)})
    cursor.execute(EVERYBODY)
    company = cursor.fetchone()[0]
    cursor.execute("RESET search_path")
    return {"employees": company, "per_minute": PER_MINUTE,
            "answers": answers}
