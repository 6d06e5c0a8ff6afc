/*
 * server_fuzz.c
 *		libFuzzer inside a server: an SQL function that runs a harness.
 *
 * The code that parses options and converts rows uses the server's parsers,
 * types and errors.  With stubs instead, the test would test the stubs.  So the
 * harness is a module that contains the extension; a server in single-user mode
 * loads it and runs each input.
 */
#include "server_fuzz.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef int (*Harness) (const uint8_t *data, size_t size);

/* libFuzzer's entry point for programs with their own main(). */
extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, Harness harness);

PG_FUNCTION_INFO_V1(hibob_fuzz);

static Harness harness;
static MemoryContext fuzz_context;

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

ErrorData *
fuzz_attempt(void (*body) (void *), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *error = NULL;

	PG_TRY();
	{
		body(argument);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error == NULL)
		return NULL;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
		ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR) ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		fprintf(stderr, "%s\n", error->message);
	require(ERRCODE_TO_CATEGORY(error->sqlerrcode) !=
			ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR));
	require(error->sqlerrcode != ERRCODE_OUT_OF_MEMORY);
	require(error->message != NULL && error->message[0] != '\0');
	return error;
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
	char	   *text = palloc(size + 1);
	size_t		i;

	memcpy(text, data, size);
	text[size] = '\0';
	for (i = 0; i < size; i++)
	{
		if (text[i] == '\0')
			text[i] = ' ';
	}
	for (i = 0; !pg_verifymbstr(text, (int) size, true) && i < size; i++)
		text[i] &= 0x7f;
	return text;
}

static int
run_one(const uint8_t *data, size_t size)
{
	MemoryContext old = MemoryContextSwitchTo(fuzz_context);

	harness(data, size);
	MemoryContextSwitchTo(old);
	MemoryContextReset(fuzz_context);
	return 0;
}

/*
 * hibob_fuzz(harness text, arguments text[]) returns void
 *
 * Runs a harness, 'options' or 'row', with the arguments of a libFuzzer program.
 * It ends the process.
 */
Datum
hibob_fuzz(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *arguments;
	int			n;
	char	  **argv;
	int			i;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false,
					  TYPALIGN_INT, &arguments, NULL, &n);
	argv = palloc0((n + 2) * sizeof(char *));
	argv[0] = name;
	for (i = 0; i < n; i++)
		argv[i + 1] = TextDatumGetCString(arguments[i]);
	n++;

	harness = strcmp(name, "row") == 0 ? row_fuzz : options_fuzz;
	fuzz_context = AllocSetContextCreate(CurrentMemoryContext, "fuzz",
										 ALLOCSET_DEFAULT_SIZES);
	LLVMFuzzerRunDriver(&n, &argv, run_one);
	PG_RETURN_VOID();
}
