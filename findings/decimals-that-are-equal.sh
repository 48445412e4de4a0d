#!/usr/bin/env bash
# MongoDB.Bson 3.14.0 and Apache.Avro 1.12.2 (NuGet), equality of an amount of 1.0 and one of 1.00.
#
# Expected: as System.Decimal: equal, with one hash code, so that Distinct, GroupBy and dictionaries have one of them.
# Seen: Decimal128, and a BsonValue or BsonDocument that holds one, are equal but have different hash codes: where hashes are used there are
# two. The same goes for an Int32 and an Int64 in a document. AvroDecimal compares as 0 yet is not equal, so a record read back is another
# than the one with the same amount that was written with fewer digits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Apache.Avro" Version="[1.12.2]" />
    <PackageReference Include="MongoDB.Bson" Version="[3.14.0]" />
  </ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using Avro;
using MongoDB.Bson;

Show("decimal", 1.0m, 1.00m);
Show("Decimal128", (Decimal128)1.0m, (Decimal128)1.00m);
Show("BsonDecimal128", new BsonDecimal128(1.0m), new BsonDecimal128(1.00m));
Show("BsonDocument", new BsonDocument("sum", 1.0m), new BsonDocument("sum", 1.00m));
Show("BsonDocument, Int32 and Int64", new BsonDocument("sum", 1), new BsonDocument("sum", 1L));
Show("AvroDecimal", new AvroDecimal(1.0m), new AvroDecimal(1.00m));

static void Show<T>(string what, T a, T b) where T : IComparable<T> => Console.WriteLine(
    $"{what}: CompareTo {a.CompareTo(b)}, Equals {a.Equals(b)}, Distinct {new[] { a, b }.Distinct().Count()}");
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
decimal: CompareTo 0, Equals True, Distinct 1
Decimal128: CompareTo 0, Equals True, Distinct 2
BsonDecimal128: CompareTo 0, Equals True, Distinct 2
BsonDocument: CompareTo 0, Equals True, Distinct 2
BsonDocument, Int32 and Int64: CompareTo 0, Equals True, Distinct 2
AvroDecimal: CompareTo 0, Equals False, Distinct 2
SEEN
