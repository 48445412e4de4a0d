#!/usr/bin/env bash
# Parquet.Net 6.1.0 (NuGet) writes and reads, @duckdb/node-api 1.5.6-r.1 (npm) reads the same file.
#
# Expected: what ParquetSerializer writes it reads again: an empty list is not null, a null in a list keeps its place. A decimal with more
# digits behind the point than its column has is refused, as one with too many before the point is.
# Seen: the file is right, as DuckDB shows; Parquet.Net's own reader drops the nulls of a list, so that the third price becomes the second,
# and has null for an empty list of simple values. The decimal is cut without an error, towards zero.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="Parquet.Net" Version="[6.1.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Text.Json;
using Parquet.Serialization;
using Parquet.Serialization.Attributes;

Order[] orders = [new() { Prices = [1, null, 3], Names = [], Sum = 1.999m }, new() { Prices = [], Names = ["a", null], Sum = -1.999m }];
await ParquetSerializer.SerializeAsync(orders, "orders.parquet");
using FileStream file = File.OpenRead("orders.parquet");
foreach (Order order in (await ParquetSerializer.DeserializeAsync<Order>(file)).Data)
    Console.WriteLine($"Parquet.Net {JsonSerializer.Serialize(order)}");

public sealed class Order
{
    public List<int?> Prices { get; set; }
    public List<string> Names { get; set; }
    [ParquetDecimal(9, 2)] public decimal Sum { get; set; }
}
CS
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @duckdb/node-api@1.5.6-r.1 > /dev/null
cat > run.mjs <<'JS'
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create(':memory:')).connect();
const rows = await connection.runAndReadAll(`select Prices::varchar, Names::varchar, "Sum"::varchar from 'orders.parquet'`);
for (const row of rows.getRows())
  console.log(`DuckDB ${row.join(' ')}`);
JS
dotnet run > seen
node run.mjs >> seen
cat seen
diff - seen <<'SEEN'
Parquet.Net {"Prices":[1,3],"Names":null,"Sum":1.99}
Parquet.Net {"Prices":null,"Names":["a"],"Sum":-1.99}
DuckDB [1, NULL, 3] [] 1.99
DuckDB [] [a, NULL] -1.99
SEEN
