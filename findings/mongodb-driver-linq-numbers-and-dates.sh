#!/usr/bin/env bash
# MongoDB.Driver 3.14.0 (NuGet), LINQ over whole numbers, conversions and formatted dates, rendered without a server.
#
# Expected: a query means what the same C# means in memory, or is refused.
# Seen: translated word for word, three ways silently into something else.
# - Whole numbers are divided with $divide, which has fractions: 750 / 100 == 7 is 7.5 == 7, so a document that C# would find is not found.
#   A projection of the same returns 7.5, which the int then refuses to hold.
# - A conversion of a bare field is left out in a filter: (int)x.Rate == 3 asks for exactly 3 and misses 3.7. A projection does convert
#   ($toInt), and so does a filter of a computed value.
# - ToString("yyyy-MM") passes the format on as it is. The server's formats begin with %, so that text is constant: grouped by month, all
#   months are one group with the key "yyyy-MM".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="MongoDB.Driver" Version="[3.14.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using MongoDB.Driver;
using MongoDB.Driver.Linq;

IQueryable<Payment> payments = new MongoClient("mongodb://localhost").GetDatabase("bank").GetCollection<Payment>("payments").AsQueryable();
Console.WriteLine(payments.Where(p => p.Cents / 100 == 7));
Console.WriteLine(payments.Select(p => p.Cents / 100));
Console.WriteLine(payments.Where(p => (int)p.Rate == 3));
Console.WriteLine(payments.Where(p => (int)(p.Rate * 2) == 3));
Console.WriteLine(payments.Select(p => (int)p.Rate));
Console.WriteLine(payments.GroupBy(p => p.At.ToString("yyyy-MM")).Select(month => month.Sum(p => p.Cents)));

internal sealed record Payment(string Id, int Cents, double Rate, DateTime At);
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
bank.payments.Aggregate([{ "$match" : { "$expr" : { "$eq" : [{ "$divide" : ["$Cents", 100] }, 7] } } }])
bank.payments.Aggregate([{ "$project" : { "_v" : { "$divide" : ["$Cents", 100] }, "_id" : 0 } }])
bank.payments.Aggregate([{ "$match" : { "Rate" : 3 } }])
bank.payments.Aggregate([{ "$match" : { "$expr" : { "$eq" : [{ "$toInt" : { "$multiply" : ["$Rate", 2.0] } }, 3] } } }])
bank.payments.Aggregate([{ "$project" : { "_v" : { "$toInt" : "$Rate" }, "_id" : 0 } }])
bank.payments.Aggregate([{ "$group" : { "_id" : { "$dateToString" : { "date" : "$At", "format" : "yyyy-MM" } }, "__agg0" : { "$sum" : "$Cents" } } }, { "$project" : { "_v" : "$__agg0", "_id" : 0 } }])
SEEN
