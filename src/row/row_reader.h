/*
 * row_reader.h
 *		A common interface of the two readers of rows: JSON, and CSV for reports.
 */
#ifndef HIBOB_ROW_ROW_READER_H
#define HIBOB_ROW_ROW_READER_H

#include "postgres.h"

#include "reader/csv_reader.h"
#include "reader/json_reader.h"

/* One of the two is not NULL. */
typedef struct RowReader
{
	JsonReader *json;
	CsvReader  *csv;
} RowReader;

static inline JsonResult
row_reader_next(RowReader *reader, const char *window, size_t length,
				bool last)
{
	return reader->csv != NULL ?
		csv_reader_next(reader->csv, window, length, last) :
		json_reader_next(reader->json, window, length, last);
}

static inline void
row_reader_restart(RowReader *reader)
{
	if (reader->csv != NULL)
		csv_reader_restart(reader->csv);
	else
		json_reader_restart(reader->json);
}

static inline size_t
row_reader_keep_from(const RowReader *reader)
{
	return reader->csv != NULL ? csv_reader_keep_from(reader->csv) :
		json_reader_keep_from(reader->json);
}

static inline void
row_reader_dropped(RowReader *reader, size_t bytes)
{
	if (reader->csv != NULL)
		csv_reader_dropped(reader->csv, bytes);
	else
		json_reader_dropped(reader->json, bytes);
}

static inline const JsonDefect *
row_reader_defect(const RowReader *reader)
{
	return reader->csv != NULL ? csv_reader_defect(reader->csv) :
		json_reader_defect(reader->json);
}

static inline const JsonSlice *
row_reader_slice(const RowReader *reader, int slot)
{
	return reader->csv != NULL ? csv_reader_slice(reader->csv, slot) :
		json_reader_slice(reader->json, slot);
}

static inline bool
row_reader_is_present(const RowReader *reader, int slot)
{
	return reader->csv != NULL ? csv_reader_has_label(reader->csv, slot) :
		json_reader_is_present(reader->json, slot);
}

#endif							/* HIBOB_ROW_ROW_READER_H */
