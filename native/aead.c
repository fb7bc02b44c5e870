#include "aead.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* EVP of OpenSSL 3, declared by hand: the Node binary exports the functions, and its headers may be absent. The lookup
 * is by name, so a Node without these functions still loads the rest of this addon. */
typedef struct evp_cipher_st EVP_CIPHER;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;

static struct {
	EVP_CIPHER *(*fetch)(void *library, const char *algorithm, const char *properties);
	EVP_CIPHER_CTX *(*new_context)(void);
	void (*free_context)(EVP_CIPHER_CTX *); /* wipes the key schedule */
	int (*init)(EVP_CIPHER_CTX *, const EVP_CIPHER *, const uint8_t *key, const uint8_t *iv, int direction,
		    const void *params);
	int (*update)(EVP_CIPHER_CTX *, uint8_t *out, int *out_length, const uint8_t *in, int in_length);
	int (*final)(EVP_CIPHER_CTX *, uint8_t *out, int *out_length);
	int (*control)(EVP_CIPHER_CTX *, int type, int argument, void *pointer);
} evp;

static const struct {
	void *function;
	const char *name;
} EVP_SYMBOLS[] = {
	{ &evp.fetch, "EVP_CIPHER_fetch" },
	{ &evp.new_context, "EVP_CIPHER_CTX_new" },
	{ &evp.free_context, "EVP_CIPHER_CTX_free" },
	{ &evp.init, "EVP_CipherInit_ex2" },
	{ &evp.update, "EVP_CipherUpdate" },
	{ &evp.final, "EVP_CipherFinal_ex" },
	{ &evp.control, "EVP_CIPHER_CTX_ctrl" },
};

/* openssl/evp.h */
enum { EVP_CTRL_AEAD_GET_TAG = 0x10, EVP_CTRL_AEAD_SET_TAG = 0x11, EVP_SAME_DIRECTION = -1 };

static EVP_CIPHER *aes_256_gcm;

static void look_up(void)
{
	for (size_t i = 0; i < sizeof EVP_SYMBOLS / sizeof *EVP_SYMBOLS; i++) {
		void *symbol = dlsym(RTLD_DEFAULT, EVP_SYMBOLS[i].name);
		if (symbol == NULL)
			return;
		memcpy(EVP_SYMBOLS[i].function, &symbol, sizeof symbol);
	}
	aes_256_gcm = evp.fetch(NULL, "AES-256-GCM", NULL); /* never freed: it lives as long as the process */
}

bool aead_available(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	return pthread_once(&once, look_up) == 0 && aes_256_gcm != NULL;
}

static enum aead_outcome run_segment(EVP_CIPHER_CTX *context, enum aead_direction direction,
				     const struct aead_segment *segment)
{
	uint8_t *output = segment->output;
	int written;

	if (evp.init(context, NULL, NULL, segment->iv, EVP_SAME_DIRECTION, NULL) != 1)
		return AEAD_FAILED;
	if (segment->aad.length > 0 &&
	    evp.update(context, NULL, &written, segment->aad.bytes, (int)segment->aad.length) != 1)
		return AEAD_FAILED;
	for (size_t i = 0; i < segment->piece_count; i++) {
		const struct aead_piece *piece = &segment->pieces[i];
		if (piece->length == 0)
			continue;
		if (evp.update(context, output, &written, piece->bytes, (int)piece->length) != 1 ||
		    (size_t)written != piece->length)
			return AEAD_FAILED;
		output += written;
	}
	if (direction == AEAD_OPEN &&
	    evp.control(context, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, segment->tag) != 1)
		return AEAD_FAILED;
	/* GCM holds no bytes back: the final call writes nothing, and fails on an open only if the tag differs. */
	if (evp.final(context, output, &written) != 1)
		return direction == AEAD_OPEN ? AEAD_FORGED : AEAD_FAILED;
	if (direction == AEAD_SEAL &&
	    evp.control(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, segment->tag) != 1)
		return AEAD_FAILED;
	return AEAD_DONE;
}

enum aead_outcome aead_run(enum aead_direction direction, const uint8_t key[AEAD_KEY_BYTES],
			   const struct aead_segment *segments, size_t count)
{
	enum aead_outcome outcome = AEAD_FAILED;
	EVP_CIPHER_CTX *context = evp.new_context();

	if (context != NULL && evp.init(context, aes_256_gcm, key, NULL, direction, NULL) == 1) {
		outcome = AEAD_DONE;
		for (size_t i = 0; i < count && outcome == AEAD_DONE; i++)
			outcome = run_segment(context, direction, &segments[i]);
	}
	evp.free_context(context);
	/* The caller must not see bytes whose tag did not match, nor any output of the same batch. */
	if (outcome != AEAD_DONE)
		for (size_t i = 0; i < count; i++)
			memset(segments[i].output, 0, segments[i].output_length);
	return outcome;
}
