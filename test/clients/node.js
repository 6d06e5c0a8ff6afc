// node-postgres.  README.md describes the output.
'use strict';

const fs = require('fs');
const { Client, Query } = require('pg');
const Cursor = require('pg-cursor');

function tell(...parts) {
  process.stdout.write(parts.join('\t') + '\n');
}

// A date or timestamp is a Date in local time.
function localTime(value) {
  const two = (n) => String(n).padStart(2, '0');
  return `${value.getFullYear()}-${two(value.getMonth() + 1)}-` +
    `${two(value.getDate())}T${two(value.getHours())}:` +
    `${two(value.getMinutes())}:${two(value.getSeconds())}.` +
    String(value.getMilliseconds()).padStart(3, '0');
}

function asJson(value) {
  return JSON.stringify(value instanceof Date ? localTime(value) : value);
}

function className(value) {
  return value === null ? 'null' : value.constructor.name;
}

async function metadata(client) {
  for (const table of ['people', 'staff', 'special']) {
    const result = await client.query(`SELECT * FROM hr.${table} LIMIT 0`);
    for (const field of result.fields) {
      tell('column', table, field.name, field.dataTypeID);
    }
  }
}

async function values(client) {
  const result = await client.query(
    'SELECT * FROM hr.special ORDER BY employee_number');
  for (const row of result.rows) {
    for (const field of result.fields) {
      const value = row[field.name];
      tell('value', row.employee_number, field.name, className(value),
        asJson(value));
    }
  }
}

async function prepared(client) {
  const ids = await client.query('SELECT id FROM hr.special' +
    ' WHERE employee_number <= 8 ORDER BY employee_number');
  for (const { id } of ids.rows) {
    const result = await client.query({
      name: 'by_id', text: 'SELECT email FROM hr.people WHERE id = $1',
      values: [id],
    });
    tell('prepared', id, asJson(result.rows[0].email));
  }
  const plans = await client.query('SELECT sum(generic_plans + custom_plans)' +
    " FROM pg_prepared_statements WHERE name = 'by_id'");
  tell('plans', plans.rows[0].sum);
}

async function goesOn(client) {
  const result = await client.query('SELECT count(*) FROM hr.people');
  tell('continues', result.rows[0].count);
}

async function cancelled(client) {
  let began;
  const query = new Query('SELECT count(email) FROM slow.people');
  const error = await new Promise((resolve) => {
    query.on('error', resolve);
    query.on('end', () => resolve({ code: 'no error' }));
    client.query(query);
    const timer = setInterval(() => {
      if (!fs.existsSync(process.env.HIBOB_STALLED)) return;
      clearInterval(timer);
      began = Date.now();
      const canceller = new Client();
      // The server closes the connection without a response, which may be an error.
      canceller.connection.on('error', () => {});
      canceller.cancel(client, query);
    }, 20);
  });
  tell('cancelled', error.code, Date.now() - began);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await goesOn(client);
}

async function refused(client) {
  try {
    await client.query('SELECT count(*) FROM locked.people');
    tell('error', 'no error', '""');
  } catch (error) {
    tell('error', error.code, asJson(error.hint));
  }
  await goesOn(client);
}

// While its portal is suspended the connection takes no other query; a part
// that has just as many rows as asked for shows that there is one.
async function streamed(client) {
  const text = 'SELECT id, work_phone FROM hr.people';
  const rows = new Set();
  let parts = 0;
  let cursor = client.query(new Cursor(text));
  for (;;) {
    const part = await cursor.read(50);
    if (part.length === 0) {
      break;
    }
    parts += part.length === 50 ? 1 : 0;
    part.forEach((row) => rows.add(row.id));
  }
  await cursor.close();
  tell('streamed', rows.size, parts === 10 ? 1 : 0);
  cursor = client.query(new Cursor(text));
  tell('left', (await cursor.read(10)).length);
  await cursor.close();
}

async function main() {
  const client = new Client();
  await client.connect();
  tell('version', `node-postgres ${require('pg/package.json').version}, ` +
    `node ${process.versions.node}`);
  await metadata(client);
  await values(client);
  await prepared(client);
  await cancelled(client);
  await refused(client);
  await streamed(client);
  await client.query('SELECT 1');
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
