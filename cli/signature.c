/*
 * Detached Ed25519 signatures of model files, as `openssl pkeyutl -sign -rawin` makes them.
 *
 * Comes in: the bytes of a model that nobody has looked into, a file with a signature, a file with a public key. Goes out: CLI_OK
 * only if the key's owner signed exactly these bytes. Relies on libsodium; a build without it refuses.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef CLI_HAVE_SODIUM
#include <sodium.h>
#endif

int cli_read_whole(const char *path, size_t limit, unsigned char **out, size_t *size)
{
	FILE *file = fopen(path, "rb");
	size_t capacity = 4096, n = 0;
	unsigned char *bytes = NULL;
	int code = CLI_OK;
	*out = NULL;
	*size = 0;
	if (file == NULL)
		return cli_fail(path, "cannot be opened: %s", strerror(errno));
	while (code == CLI_OK && (bytes == NULL || n == capacity)) {
		capacity = bytes == NULL ? capacity : 2 * capacity;
		unsigned char *more = realloc(bytes, capacity);
		if (more == NULL) {
			code = cli_fail_memory(path);
			break;
		}
		bytes = more;
		n += fread(bytes + n, 1, capacity - n, file);
		if (ferror(file))
			code = cli_fail(path, "cannot be read: %s", strerror(errno));
		else if (n > limit)
			code = cli_fail(path, "has more than %zu bytes", limit);
	}
	fclose(file);
	if (code != CLI_OK) {
		free(bytes);
		return code;
	}
	*out = bytes;
	*size = n;
	return CLI_OK;
}

#ifdef CLI_HAVE_SODIUM

#define MOST_BYTES ((size_t)4096) /* of a signature or key file */

/* What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
static const unsigned char key_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
#define DER_BYTES (sizeof key_head + crypto_sign_PUBLICKEYBYTES)

/* Bytes of base64 text, white space ignored; 0 if it is none or longer than `room`. */
static size_t from_base64(const char *text, size_t length, unsigned char *to, size_t room)
{
	size_t n = 0;
	const char *end = NULL;
	if (sodium_base642bin(to, room, text, length, " \t\r\n", &n, &end, sodium_base64_VARIANT_ORIGINAL) != 0)
		return 0;
	return end == text + length ? n : 0;
}

/* The text between the lines of a PEM file, or all of it. */
static const char *pem_body(const char *text, size_t *length)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
	const char *first = strstr(text, begin), *last = first != NULL ? strstr(first, end) : NULL;
	if (last == NULL)
		return text;
	first += sizeof begin - 1;
	*length = (size_t)(last - first);
	return first;
}

static int read_key(const char *path, unsigned char key[crypto_sign_PUBLICKEYBYTES])
{
	unsigned char *bytes, der[DER_BYTES];
	char text[MOST_BYTES + 1];
	size_t size, n;
	int code = cli_read_whole(path, MOST_BYTES, &bytes, &size);
	if (code != CLI_OK)
		return code;
	memcpy(text, bytes, size);
	text[size] = '\0';
	n = size;
	if (size == crypto_sign_PUBLICKEYBYTES || size == DER_BYTES) {
		memcpy(der, bytes, size);
		/* 44 characters may be a key of 32 bytes in base64, too. */
		if (size == DER_BYTES && memcmp(der, key_head, sizeof key_head) != 0)
			n = from_base64(text, size, der, sizeof der);
	} else {
		const char *body = pem_body(text, &n);
		n = from_base64(body, n, der, sizeof der);
	}
	free(bytes);
	if (n == DER_BYTES && memcmp(der, key_head, sizeof key_head) == 0)
		memcpy(key, der + sizeof key_head, crypto_sign_PUBLICKEYBYTES);
	else if (n == crypto_sign_PUBLICKEYBYTES)
		memcpy(key, der, crypto_sign_PUBLICKEYBYTES);
	else
		return cli_fail(path, "is no Ed25519 public key; expected PEM as `openssl pkey -pubout` writes it, its DER, or the "
			"32 bytes of the key, plain or in base64");
	return CLI_OK;
}

static int read_signature(const char *path, unsigned char signature[crypto_sign_BYTES])
{
	unsigned char *bytes;
	size_t size, n = 0;
	int code = cli_read_whole(path, MOST_BYTES, &bytes, &size);
	if (code != CLI_OK)
		return code;
	if (size == crypto_sign_BYTES) {
		memcpy(signature, bytes, size);
		n = size;
	} else {
		n = from_base64((const char *)bytes, size, signature, crypto_sign_BYTES);
	}
	free(bytes);
	if (n != crypto_sign_BYTES)
		return cli_fail(path, "is no Ed25519 signature: it has %zu bytes, expected %u, plain or in base64; was it cut short?", size,
			crypto_sign_BYTES);
	return CLI_OK;
}

int cli_check_signature(const char *path, const unsigned char *bytes, size_t size, const char *signature_path,
	const char *key_path)
{
	unsigned char key[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
	int code;
	if (sodium_init() < 0)
		return cli_fail(path, "libsodium cannot be started on this machine");
	code = read_key(key_path, key);
	if (code == CLI_OK)
		code = read_signature(signature_path, signature);
	if (code == CLI_OK && crypto_sign_verify_detached(signature, bytes, size, key) != 0)
		code = cli_fail(path, "the signature does not fit: the file was changed, or it was signed with another key than the given one");
	return code;
}

#else

int cli_check_signature(const char *path, const unsigned char *bytes, size_t size, const char *signature_path,
	const char *key_path)
{
	(void)bytes, (void)size, (void)signature_path, (void)key_path;
	return cli_fail(path, "cannot be checked: this build of the command has no signatures (meson option signature, needs libsodium)");
}

#endif
