/*
 * The `scoreline` command: picks the command and answers --help and --version.
 */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int print_help(const char *command)
{
	const char *text = cli_help(command);
	if (text == NULL) {
		cli_quoted name = cli_quote(command, strlen(command), 40);
		return cli_usage(NULL, "there is no command \"%s\"", name.text);
	}
	fputs(text, stdout);
	return cli_flush_stdout();
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* A closed stdin, stdout or stderr must not become a file that is opened later: reads and writes then fail. */
static void occupy_standard_files(void)
{
	int fd;
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "convert", cli_convert }, { "export", cli_export }, { "inspect", cli_inspect }, { "log", cli_log },
		{ "report", cli_report }, { "score", cli_score }, { "table", cli_table_command }, { "verify", cli_verify }
	};
	cli_quoted word;
	size_t i;
	/* A closed pipe and a limit on the size of files are failed writes with a message and exit code 1, as a full disk is. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	occupy_standard_files();
	if (argc < 2)
		return cli_usage(NULL, "expected a command: convert, export, inspect, log, report, score, table or verify");
	if (is_help(argv[1]) || strcmp(argv[1], "help") == 0)
		return print_help(argc > 2 ? argv[2] : "");
	if (strcmp(argv[1], "--version") == 0) {
		printf("scoreline %s\n", score_version_string());
		return cli_flush_stdout();
	}
	for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	word = cli_quote(argv[1], strlen(argv[1]), 40);
	return cli_usage(NULL, "there is no command \"%s\": expected convert, export, inspect, log, report, score, table or verify",
		word.text);
}
