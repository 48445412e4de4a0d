#!/usr/bin/env bash
# Streamiz.Kafka.Net 1.8.2 (NuGet), windows longer than 24 hours: TumblingWindowOptions.Of(TimeSpan.FromDays(7)) in its TopologyTestDriver.
#
# Expected: a count by week counts every record of the week; without a period of grace, late records alone are lost.
# Seen: the default grace is 24 hours less the size of the window, and it is not kept from being negative. With 7 days it is -6 days: the
# window closes 24 hours after it began, and in-order records of the other six days are dropped without an error. HoppingWindowOptions does
# the same, JoinWindowOptions does not. A store with a retention and a grace that is named make it right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><NoWarn>NU1603</NoWarn>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="Streamiz.Kafka.Net" Version="[1.8.2]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.Mock;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;
using Streamiz.Kafka.Net.Table;

var week = new DateTime(2026, 1, 29, 0, 0, 0, DateTimeKind.Utc); // a multiple of 7 days since 1970: a window begins here
TimeSpan size = TimeSpan.FromDays(7);
var defaults = TumblingWindowOptions.Of(size);
Console.WriteLine($"grace: tumbling {TimeSpan.FromMilliseconds(defaults.GracePeriodMs).TotalDays} days, " +
    $"hopping {TimeSpan.FromMilliseconds(HoppingWindowOptions.Of(size, TimeSpan.FromDays(1)).GracePeriodMs).TotalDays}, " +
    $"join {TimeSpan.FromMilliseconds(JoinWindowOptions.Of(size).GracePeriodMs).TotalDays}");
Count("default", defaults, InMemoryWindows.As<string, long>("counts"));
Count("grace named",
    TumblingWindowOptions.Of(size, TimeSpan.FromDays(1)), InMemoryWindows.As<string, long>("counts").WithRetention(size * 2));

void Count(string what, TumblingWindowOptions window, Materialized<string, long, IWindowStore<Bytes, byte[]>> store)
{
    var builder = new StreamBuilder();
    builder.Stream<string, string>("payments").GroupByKey().WindowedBy(window)
        .Count(store.WithKeySerdes(new StringSerDes()).WithValueSerdes(new Int64SerDes()))
        .ToStream().Map((key, count, _) => KeyValuePair.Create(key.Key, count)).To<StringSerDes, Int64SerDes>("counts");
    var config = new StreamConfig<StringSerDes, StringSerDes>
    {
        ApplicationId = "finding",
        StateDir = Directory.GetCurrentDirectory(),
        Logger = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.None)),
    };
    using var driver = new TopologyTestDriver(builder.Build(), config);
    var input = driver.CreateInputTopic<string, string>("payments");
    var output = driver.CreateOutputTopic<string, long, StringSerDes, Int64SerDes>("counts");
    foreach (int day in Enumerable.Range(0, 7))
        input.PipeInput("account", "paid", week.AddDays(day).AddHours(12));
    long last = 0;
    while (output.ReadKeyValue() is { } counted)
        last = counted.Message.Value;
    Console.WriteLine($"{what}: one record on each of 7 days, counted {last}");
}
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
grace: tumbling -6 days, hopping -6, join 0
default: one record on each of 7 days, counted 1
grace named: one record on each of 7 days, counted 7
SEEN
