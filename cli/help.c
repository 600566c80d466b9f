/*
 * The help texts. docs/scoreline.1 says the same at more length.
 */
#include "cli.h"

#include <string.h>

static const char general[] =
	"Usage: scoreline COMMAND …\n"
	"\n"
	"Score rows with tree ensembles and linear models, with the same bits as the library that trained them.\n"
	"\n"
	"Commands:\n"
	"  convert   turn another library's model file into a compact .slm file\n"
	"  export    write a model as source code for a host that takes no library\n"
	"  inspect   say what a model is: source, features, outputs, trees, size\n"
	"  log       read a log of scored calls: print, summarise, export\n"
	"  report    make an HTML page of statistics files and capture logs: scores, drift, latency\n"
	"  score     score the rows of a CSV, JSON lines or .npy file\n"
	"  table     build, inspect and query feature tables: values by key for scoring\n"
	"  verify    check a model's built-in test rows on every instruction set of this machine\n"
	"\n"
	"scoreline COMMAND --help explains one command; scoreline --version prints the version.\n"
	"\n"
	"Example:\n"
	"  scoreline convert model.json -o model.slm\n"
	"  scoreline inspect model.slm\n"
	"  scoreline score model.slm rows.csv -o scores.csv\n"
	"\n"
	"Exit status: 0 everything was done; 1 bad input, bad file or full disk; 2 wrong command line.\n";

static const char convert[] =
	"Usage: scoreline convert IN -o OUT.slm [options]\n"
	"\n"
	"Read a model and write it as .slm. IN may be XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX, or .slm; the\n"
	"content decides, not the name. OUT.slm appears only when it is complete and its test rows gave the same bits again.\n"
	"\n"
	"Options:\n"
	"  -o, --out FILE         where to write; needed\n"
	"      --iterations A:B   only boosting iterations A to B-1 (not for .slm or ONNX)\n"
	"      --onnx-compat WHO  where onnxruntime departs from the ONNX specification: answers of the specification\n"
	"                         (default) or of onnxruntime; of ONNX files only\n"
	"      --missing VALUE    an XGBoost model's missing=: this value is missing, as NaN is\n"
	"      --name NAME        name of the model, shown by inspect\n"
	"      --meta KEY=VALUE   metadata to store; may be given many times\n"
	"      --no-covers        leave out the weights of training rows: a smaller file, without contributions\n"
	"  -q, --quiet            print nothing when all is well\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  scoreline convert model.json -o model.slm\n"
	"  scoreline convert model.ubj -o model.slm --name fraud --meta owner=risk --meta ticket=4711\n"
	"  scoreline convert lightgbm.txt -o first100.slm --iterations 0:100\n";

static const char export[] =
	"Usage: scoreline export FILE --js NAME [-o OUT.js] [options]\n"
	"\n"
	"Write the model FILE (.slm, or any file that convert reads) as one self-contained function of ECMAScript 5,\n"
	"main(feature, ...), for hosts that take no library, such as Azure Stream Analytics. It gives the same bits.\n"
	"null, undefined and NaN are missing values; strings are categories; it never throws.\n"
	"\n"
	"Options:\n"
	"      --js NAME          what the host will call the function; needed; stands in a comment\n"
	"  -o, --out FILE         where to write; default: standard output\n"
	"      --output KIND      prediction (default) or margin (raw score)\n"
	"  -h, --help             this text\n"
	"\n"
	"Example:\n"
	"  scoreline export model.slm --js AnomalyScore -o AnomalyScore.js\n";

static const char inspect[] =
	"Usage: scoreline inspect FILE [options]\n"
	"\n"
	"Say what a model is. FILE may be .slm, XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, or ONNX.\n"
	"\n"
	"Options:\n"
	"      --json       one JSON object for programs; it always lists all features\n"
	"      --features   list all features instead of the first few\n"
	"  -h, --help       this text\n"
	"\n"
	"Examples:\n"
	"  scoreline inspect model.slm\n"
	"  scoreline inspect model.json --json | jq .n_features\n";

static const char report[] =
	"Usage: scoreline report SOURCE … -o FILE.html [options]\n"
	"\n"
	"Make one HTML page, which needs nothing else, of what was scored: versions side by side, scores, drift from the\n"
	"training data, latency. SOURCE is a file of statistics (.sls), a segment of a capture log (.slog), or a directory of\n"
	"segments. Statistics of the same version are added up.\n"
	"\n"
	"Options:\n"
	"  -o, --out FILE     where to write; needed\n"
	"  -m, --model FILE   a model whose calls are in a log, for its training data's histograms; may be repeated\n"
	"  -t, --title TEXT   heading of the page\n"
	"  -h, --help         this text\n"
	"\n"
	"Example:\n"
	"  scoreline report monday.sls tuesday.sls -o report.html\n"
	"  scoreline report log/ --model model.slm -o report.html\n";

static const char score[] =
	"Usage: scoreline score FILE IN [options]\n"
	"\n"
	"Score every row of IN with the model FILE (.slm, or any file that convert reads). IN - is standard input.\n"
	"\n"
	"Input:\n"
	"  CSV         commas, quotes as in RFC 4180, a header. Columns are found by name; the model's features must all\n"
	"              be there, other columns are ignored. Missing: an empty field, NA, NaN or null. true and false are\n"
	"              1 and 0. Empty lines are skipped.\n"
	"  JSON lines  one object per line. null and absent keys are missing values; unknown keys are ignored.\n"
	"  .npy        two dimensions, float32 or float64, columns in the model's order.\n"
	"  The content decides unless --format says what it is. Category features whose labels the\n"
	"  model knows (inspect shows them) take labels in CSV, and labels as strings or codes as numbers in JSON lines;\n"
	"  the others, and .npy, take the training codes.\n"
	"\n"
	"Output: CSV with a header, one line per row, numbers as short as they can be without losing a bit (a model that\n"
	"sums in float32 gets float32 text); or .npy if OUT ends in .npy. OUT appears only when it is complete.\n"
	"\n"
	"Options:\n"
	"  -o, --out FILE         where to write; default: standard output\n"
	"      --output KIND      prediction (default), margin (raw score), class (label of the class), leaf\n"
	"                         (a leaf number per tree) or contribution (what each feature adds to the margin, then\n"
	"                         the bias; SHAP values)\n"
	"      --format KIND      format of IN: csv, jsonl or npy\n"
	"      --no-header        CSV without column names: columns in the model's order\n"
	"      --by-position      CSV: ignore the names in the header, columns in the model's order\n"
	"      --trees A:B        only trees A to B-1\n"
	"      --isa NAME         instruction set: auto, portable, sse42, avx2, avx512, neon\n"
	"      --regime NAME      how rows go through trees: auto, batch, walk, row\n"
	"  -q, --quiet            no progress and no warnings\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  scoreline score model.slm rows.csv > scores.csv\n"
	"  scoreline score model.slm rows.npy -o margins.npy --output margin\n"
	"  zcat rows.jsonl.gz | scoreline score model.slm - --format jsonl -o scores.csv\n";

static const char logs[] =
	"Usage: scoreline log cat|stats|export LOG… [options]\n"
	"\n"
	"Read capture logs. LOG is a directory of segments (*.slog, *.slog.active) or a segment file.\n"
	"\n"
	"  cat      print the log as JSON lines\n"
	"  stats    count calls, rows and failures per served version, and say how the segments end\n"
	"  export   write the log as JSON lines, CSV or a table of an SQLite database\n"
	"\n"
	"A segment that ends in the middle of a record (its process died, or is writing) is reported on standard error with\n"
	"the byte; everything before it is read. Bytes that are no record make the exit status 1, after the rest was read.\n"
	"\n"
	"Views:\n"
	"  calls        a record each, as it was captured (default)\n"
	"  payload      the columns of an inference table: databricks_request_id, request, response, …\n"
	"  gateway      the columns of an AI gateway's inference table\n"
	"  predictions  a row each: scored_at, model_version, latency_ms and the score\n"
	"\n"
	"Options:\n"
	"      --view NAME          what a row is\n"
	"      --score-name NAME    column of the score; implies --view predictions; default: score\n"
	"      --score-index N      which output is the score, from 0 (default)\n"
	"      --shadows            also calls of shadow versions, except in calls, which always has them\n"
	"      --format KIND        export: jsonl (default), csv or sqlite\n"
	"  -o, --out FILE           export: where to write; default: standard output\n"
	"      --table NAME         export: table of the database; default: the name of the view\n"
	"      --json               stats: one JSON object\n"
	"  -q, --quiet              no warnings\n"
	"  -h, --help               this text\n"
	"\n"
	"Examples:\n"
	"  scoreline log cat calls/ | jq .latency_ns\n"
	"  scoreline log export calls/ --score-name fraud_score --format sqlite --table fraud_detection -o log.db\n";

static const char verify[] =
	"Usage: scoreline verify FILE [--signature FILE.sig --public-key KEY]\n"
	"\n"
	"Score the test rows inside the model on every instruction set and compare all bits with the stored margins.\n"
	"Prints one line per instruction set, also for those that this machine does not have.\n"
	"Exit status 0 only if every available one agrees.\n"
	"\n"
	"Options:\n"
	"      --signature FILE   before anything else, check this detached Ed25519 signature of the .slm file:\n"
	"                         64 bytes as `openssl pkeyutl -sign -rawin` writes them, or their base64\n"
	"      --public-key KEY   of whoever may sign: PEM as `openssl pkey -pubout` writes it, its DER, or the\n"
	"                         key's 32 bytes, plain or in base64\n"
	"  -q, --quiet            print only differences\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  scoreline verify model.slm\n"
	"  scoreline verify model.slm --signature model.slm.sig --public-key public.pem\n";

static const char table[] =
	"Usage: scoreline table build FILE.csv --key NAME -o TABLE.sft [options]\n"
	"       scoreline table inspect TABLE.sft [--json] [--verify]\n"
	"       scoreline table get [--at TIME] TABLE.sft KEY …\n"
	"\n"
	"A feature table holds values by key, for lookups while scoring. build reads a CSV file with column names, twice, in bounded\n"
	"memory; types are found by looking at all values. get prints one row as JSON; options stand before the table.\n"
	"\n"
	"Options of build:\n"
	"  -o, --out FILE         where to write; replaced in one step, so that readers go on; needed\n"
	"      --key NAME         key column; several make a composite key, in their order; needed\n"
	"      --timestamp NAME   time column: whole numbers, or as 2024-01-15T10:30:00Z. A key then has rows over time\n"
	"      --unit UNIT        what a timestamp in numbers counts: s, ms, us or ns since 1970\n"
	"      --type NAME=TYPE   f64, f32, i64, i32, bool or string instead of the type found\n"
	"      --memory MIB       upper bound of memory (512)\n"
	"  -q, --quiet            print nothing when all is well\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  scoreline table build profile.csv --key customer_id -o profile.sft\n"
	"  scoreline table build balance.csv --key customer_id --timestamp ts -o balance.sft\n"
	"  scoreline table inspect profile.sft --verify\n"
	"  scoreline table get --at 2024-01-15T10:30:00Z balance.sft 4711\n";

const char *cli_help(const char *command)
{
	static const struct {
		const char *command;
		const char *text;
	} texts[] = { { "", general }, { "convert", convert }, { "export", export }, { "inspect", inspect }, { "log", logs },
		{ "report", report }, { "score", score }, { "table", table }, { "verify", verify } };
	size_t i;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(texts[i].command, command) == 0)
			return texts[i].text;
	return NULL;
}
