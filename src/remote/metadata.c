/*
 * metadata.c
 *		What an account says of its own fields, tables and reports.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "reader/json_doc.h"
#include "remote/metadata.h"
#include "remote/metadata_fetch.h"
#include "resources/resource.h"

/* Makes one entry of a list out of its document. */
typedef void *(*MetadataReader) (JsonDoc *doc);

hibob_noreturn static void
bad_metadata(const char *resource)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("the metadata of HiBob does not have the expected shape"),
			 errdetail("An entry of \"%s\" has no id.", resource)));
	pg_unreachable();
}

/* A copy that outlives the document; NULL where it has none. */
static const char *
copy_text(JsonDoc *doc, const char *key)
{
	const char *text = json_doc_text(doc, key);

	return text != NULL ? pstrdup(text) : NULL;
}

/* A thing without a name is called by its id. */
static const char *
copy_name(JsonDoc *doc)
{
	const char *name = copy_text(doc, "name");

	return name != NULL ? name : copy_text(doc, "id");
}

static MetadataField *
read_column(JsonDoc *doc)
{
	MetadataField *field = palloc0(sizeof(MetadataField));

	field->id = copy_text(doc, "id");
	if (field->id == NULL)
		return NULL;
	field->name = copy_name(doc);
	field->type = copy_text(doc, "type");
	if (field->type == NULL)
		field->type = "text";
	field->category = copy_text(doc, "categoryDisplayName");
	field->list = copy_text(json_doc_value(doc, "typeData"), "listId");
	return field;
}

static void *
read_field(JsonDoc *doc)
{
	return read_column(doc);
}

static void *
read_table(JsonDoc *doc)
{
	MetadataTable *table = palloc0(sizeof(MetadataTable));
	JsonDoc    *columns = json_doc_value(doc, "columns");

	table->id = copy_text(doc, "id");
	table->name = copy_name(doc);
	for (size_t i = 0; i < json_doc_length(columns); i++)
	{
		MetadataField *column = read_column(json_doc_element(columns, i));

		if (column == NULL)
			return NULL;
		table->columns = lappend(table->columns, column);
	}
	return table->id != NULL ? table : NULL;
}

static void *
read_report(JsonDoc *doc)
{
	MetadataReport *report = palloc0(sizeof(MetadataReport));

	report->id = copy_text(doc, "id");
	report->name = copy_name(doc);
	return report->id != NULL ? report : NULL;
}

static List *
read_entries(JsonDoc *doc, const char *resource, MetadataReader reader)
{
	List	   *entries = NIL;

	for (size_t i = 0; i < json_doc_length(doc); i++)
	{
		void	   *entry;

		CHECK_FOR_INTERRUPTS();
		entry = reader(json_doc_element(doc, i));
		if (entry == NULL)
			bad_metadata(resource);
		entries = lappend(entries, entry);
	}
	return entries;
}

static List *
read_all(Oid serverid, const char *resource, MetadataReader reader)
{
	size_t		length;
	char	   *text = metadata_fetch_document(serverid, resource, &length);
	JsonDoc    *doc = json_doc_parse_any(text, length);
	List	   *volatile entries = NIL;

	if (doc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the metadata of HiBob cannot be read"),
				 errdetail("\"%s\" is nested too deeply, or larger than memory.",
						   resource)));
	PG_TRY();
	{
		entries = read_entries(doc, resource, reader);
	}
	PG_FINALLY();
	{
		json_doc_free(doc);
	}
	PG_END_TRY();
	return entries;
}

List *
metadata_fields(Oid serverid)
{
	return read_all(serverid, RESOURCE_FIELDS, read_field);
}

List *
metadata_custom_tables(Oid serverid)
{
	return read_all(serverid, RESOURCE_CUSTOM_TABLES, read_table);
}

List *
metadata_reports(Oid serverid)
{
	return read_all(serverid, "reports", read_report);
}
