// JDBC.  README.md describes the output.

import java.io.File;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.Timer;
import java.util.TimerTask;
import org.postgresql.util.PSQLException;

public class Jdbc {
    private static PrintStream out;

    private static void tell(Object... parts) {
        StringBuilder line = new StringBuilder();

        for (Object part : parts) {
            line.append(line.length() == 0 ? "" : "\t").append(part);
        }
        out.print(line.append('\n'));
    }

    private static String asJson(Object value) throws SQLException {
        if (value == null || value instanceof Boolean
                || value instanceof Integer || value instanceof Long
                || value instanceof BigDecimal) {
            return String.valueOf(value);
        }
        if (value instanceof Array) {
            List<String> elements = new ArrayList<>();

            for (Object element : (Object[]) ((Array) value).getArray()) {
                elements.add(asJson(element));
            }
            return "[" + String.join(",", elements) + "]";
        }
        StringBuilder text = new StringBuilder("\"");

        for (char c : value.toString().toCharArray()) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c);
            }
        }
        return text.append('"').toString();
    }

    private static String className(Object value) {
        return value == null ? "null" : value.getClass().getSimpleName();
    }

    private static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();

        tell("version", data.getDriverName() + " " + data.getDriverVersion()
            + ", Java " + System.getProperty("java.version"));
        for (String table : new String[] {"people", "staff", "special"}) {
            try (ResultSet rows = data.getTables(null, "hr", table, null)) {
                while (rows.next()) {
                    tell("table", table, rows.getString("TABLE_TYPE"));
                }
            }
            try (ResultSet rows = data.getColumns(null, "hr", table, null)) {
                while (rows.next()) {
                    tell("column", table, rows.getString("COLUMN_NAME"),
                        rows.getString("TYPE_NAME"));
                }
            }
        }
    }

    private static void values(Statement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery(
                "SELECT * FROM hr.special ORDER BY employee_number")) {
            ResultSetMetaData columns = rows.getMetaData();

            while (rows.next()) {
                for (int i = 1; i <= columns.getColumnCount(); i++) {
                    Object value = rows.getObject(i);

                    tell("value", rows.getObject(1), columns.getColumnName(i),
                        className(value), asJson(value));
                }
            }
        }
    }

    private static String single(Statement statement, String sql)
            throws SQLException {
        try (ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    private static void prepared(Statement statement) throws SQLException {
        List<String> ids = new ArrayList<>();

        try (ResultSet rows = statement.executeQuery("SELECT id FROM hr.special"
                + " WHERE employee_number <= 8 ORDER BY employee_number")) {
            while (rows.next()) {
                ids.add(rows.getString(1));
            }
        }
        try (PreparedStatement byId = statement.getConnection()
                .prepareStatement("SELECT email FROM hr.people WHERE id = ?")) {
            for (String id : ids) {
                byId.setString(1, id);
                try (ResultSet rows = byId.executeQuery()) {
                    rows.next();
                    tell("prepared", id, asJson(rows.getString(1)));
                }
            }
            tell("plans", single(statement,
                "SELECT sum(generic_plans + custom_plans)"
                + " FROM pg_prepared_statements"
                + " WHERE statement LIKE '%FROM hr.people WHERE id%'"
                + " AND statement NOT LIKE '%pg_prepared%'"));
        }
    }

    private static void goesOn(Statement statement) throws SQLException {
        tell("continues",
            single(statement, "SELECT count(*) FROM hr.people"));
    }

    private static void cancelled(Statement statement)
            throws SQLException, InterruptedException {
        long[] began = new long[1];
        Timer timer = new Timer(true);

        timer.schedule(new TimerTask() {
            @Override
            public void run() {
                if (!new File(System.getenv("HIBOB_STALLED")).exists()) {
                    return;
                }
                cancel();
                began[0] = System.nanoTime();
                try {
                    statement.cancel();
                } catch (SQLException e) {
                    e.printStackTrace();
                }
            }
        }, 20, 20);
        try {
            single(statement, "SELECT count(email) FROM slow.people");
            tell("cancelled", "no error", 0);
        } catch (SQLException e) {
            tell("cancelled", e.getSQLState(),
                (System.nanoTime() - began[0]) / 1000000);
        }
        timer.cancel();
        Thread.sleep(200);
        goesOn(statement);
    }

    private static void refused(Statement statement) throws SQLException {
        try {
            single(statement, "SELECT count(*) FROM locked.people");
            tell("error", "no error", "\"\"");
        } catch (PSQLException e) {
            tell("error", e.getSQLState(),
                asJson(e.getServerErrorMessage().getHint()));
        }
        goesOn(statement);
    }

    private static void streamed(Connection connection) throws SQLException {
        Set<String> seen = new HashSet<>();
        String sql = "SELECT id, work_phone FROM hr.people";

        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement();
             Statement other = connection.createStatement()) {
            String cursors;

            statement.setFetchSize(50);
            try (ResultSet rows = statement.executeQuery(sql)) {
                rows.next();
                seen.add(rows.getString(1));
                cursors = single(other, "SELECT count(*) FROM pg_cursors"
                    + " WHERE statement LIKE '%hr.people%'"
                    + " AND statement NOT LIKE '%pg_cursors%'");
                while (rows.next()) {
                    seen.add(rows.getString(1));
                }
            }
            tell("streamed", seen.size(), cursors);
            int count = 0;
            try (ResultSet rows = statement.executeQuery(sql)) {
                while (count < 10 && rows.next()) {
                    count++;
                }
            }
            tell("left", count);
        }
        connection.commit();
    }

    public static void main(String[] arguments) throws Exception {
        String url = String.format(
            "jdbc:postgresql://%s:%s/%s?user=%s&password=%s&prepareThreshold=1",
            System.getenv("PGHOST"), System.getenv("PGPORT"),
            System.getenv("PGDATABASE"), System.getenv("PGUSER"),
            System.getenv("PGPASSWORD"));

        out = new PrintStream(System.out, true, "UTF-8");
        try (Connection connection = DriverManager.getConnection(url)) {
            metadata(connection);
            try (Statement statement = connection.createStatement()) {
                values(statement);
                prepared(statement);
                cancelled(statement);
                refused(statement);
            }
            streamed(connection);
        }
    }
}
