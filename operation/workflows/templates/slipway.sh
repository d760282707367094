# Downloads slipway to [[command]] and checks its checksum. Every job of the workflows beside this file runs it.
set -euo pipefail

url=[[.Source.URL]]
archive=[[.Source.Archive]]
folder=$(mktemp -d)

mkdir -p .slipway/bin
curl --fail --silent --show-error --location --retry 5 --retry-connrefused --output "$folder/$archive" "$url/$archive"
[[- if .Source.Checksum]]
echo "[[.Source.Checksum]]  $archive" >"$folder/SHA256SUMS"
[[- else]]
curl --fail --silent --show-error --location --retry 5 --retry-connrefused --output "$folder/SHA256SUMS" "$url/SHA256SUMS"
[[- end]]
(cd "$folder" && sha256sum --check --strict --ignore-missing SHA256SUMS)
tar -xzf "$folder/$archive" -C .slipway/bin slipway
rm -r "$folder"
[[command]] --version
