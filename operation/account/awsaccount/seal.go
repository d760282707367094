package awsaccount

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

// Seal encrypts a secret for a stack's file, as `pulumi config set --secret` does for the provider awskms: with the stack's data key,
// which the KMS key decrypts. keyARN is that key, and encryptedKey the data key in base64, as bootstrap wrote it (see Bootstrap.DataKey).
func (a *Account) Seal(ctx context.Context, keyARN, encryptedKey, value string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(encryptedKey)
	if err != nil {
		return "", fmt.Errorf("encryptedkey of stack %s is not base64: %w", a.args.Stack, err)
	}
	opened, err := kms.NewFromConfig(a.aws).Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed, KeyId: &keyARN})
	if err != nil {
		return "", fmt.Errorf("the data key of stack %s: %w", a.args.Stack, err)
	}
	return config.NewSymmetricCrypter(opened.Plaintext).EncryptValue(ctx, value)
}
